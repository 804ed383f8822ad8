"""Derivatives as functions of their own: of forward's output, or the Jacobian of each example."""

import pytest

SOURCE = """
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(s):
    return s * (1 - s)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_grad(s):
    return np.diag(s) - np.outer(s, s)


def rows_softmax_grad(s):
    return np.stack([np.diag(row) - np.outer(row, row) for row in s])
"""
JACOBIAN = "(forward's output; grad_output is multiplied by its result) -> the Jacobian, outputs times inputs"
RIGHT = {
    "sigmoid,sigmoid_grad": ("4,3", "sigmoid_grad(forward's output; its result is multiplied by grad_output)"),
    "softmax,softmax_grad": ("4", f"softmax_grad{JACOBIAN}"),
    "softmax,rows_softmax_grad": ("4,3", f"rows_softmax_grad{JACOBIAN}"),
}
WRONG = {
    "sigmoid,sigmoid_grad": ("s * (1 - s)", "s * (1 + s)", "grad_input: 12 of 12 elements differ"),
    "softmax,softmax_grad": ("np.diag(s) -", "np.diag(s) +", "grad_input: 4 of 4 elements differ"),
    "softmax,rows_softmax_grad": ("np.diag(row) -", "np.diag(row) +", "grad_input: 12 of 12 elements differ"),
}


@pytest.mark.parametrize("names", RIGHT)
def test_right_derivatives_agree(checked, names):
    shape, read = RIGHT[names]
    status, out = checked(SOURCE, names, "--input", shape)
    assert status == 0, out
    assert read in out
    assert "\ngrad_input " in out


@pytest.mark.parametrize("names", WRONG)
def test_wrong_twins_are_named(checked, names):
    old, new, said = WRONG[names]
    status, out = checked(SOURCE.replace(old, new), names, "--input", RIGHT[names][0])
    assert status == 1
    assert said in out


def test_no_line_of_a_jacobian_is_said_to_be_wrong(checked):
    _, out = checked(SOURCE.replace("np.diag(s) -", "np.diag(s) +"), "softmax,softmax_grad", "--input", "4")
    assert "first wrong line" not in out
