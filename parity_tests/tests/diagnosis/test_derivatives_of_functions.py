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


def softmax_derivative(softmax):
    s = softmax.reshape(-1, 1)
    return np.diagflat(s) - np.dot(s, s.T)


def tanh(x):
    return np.tanh(x)


def tanh_derivative(tanh_output):
    return 1 - tanh_output**2


def columns(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def columns_grad(x):
    p = columns(x)
    return np.diagflat(p) - p @ p.T


def project(x):
    return np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]]) @ x**2


def project_grad(x):
    return np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]]) * (2 * x.T)
"""
JACOBIAN = "(forward's output; grad_output is multiplied by its result) -> the Jacobian, outputs times inputs"
RIGHT = {
    "sigmoid,sigmoid_grad": ("4,3", "sigmoid_grad(forward's output; its result is multiplied by grad_output)"),
    "softmax,softmax_grad": ("4", f"softmax_grad{JACOBIAN}"),
    "softmax,rows_softmax_grad": ("4,3", f"rows_softmax_grad{JACOBIAN}"),
    "softmax,softmax_derivative": ("4", f"softmax_derivative{JACOBIAN}"),
    "tanh,tanh_derivative": ("4,3", "tanh_derivative(forward's output; its result is multiplied by grad_output)"),
    "columns,columns_grad": ("4,1", "the Jacobian, outputs times inputs: the gradient of x"),
    "project,project_grad": ("3,1", "the Jacobian, outputs times inputs: the gradient of x"),
}
WRONG = {
    "sigmoid,sigmoid_grad": ("s * (1 - s)", "s * (1 + s)", "grad_input: 12 of 12 elements differ"),
    "softmax,softmax_grad": ("np.diag(s) -", "np.diag(s) +", "grad_input: 4 of 4 elements differ"),
    "softmax,rows_softmax_grad": ("np.diag(row) -", "np.diag(row) +", "grad_input: 12 of 12 elements differ"),
    "softmax,softmax_derivative": ("np.diagflat(s) -", "np.diagflat(s) +", "grad_input: 4 of 4 elements differ"),
    "tanh,tanh_derivative": ("1 - tanh_output**2", "1 - tanh_output", "grad_input: 12 of 12 elements differ"),
    "columns,columns_grad": ("- p @ p.T", "- p", "grad_input: 4 of 4 elements differ"),
    "project,project_grad": ("(2 * x.T)", "x.T", "grad_input: 3 of 3 elements differ"),
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


@pytest.mark.parametrize("name", ["z", "tanh_input"])
def test_a_derivative_of_the_input_is_none_of_the_output(checked, name):
    source = SOURCE.replace("tanh_output", name)
    status, out = checked(source, "tanh,tanh_derivative", "--input", "4,3")
    assert status == 1
    assert "grad_input: 12 of 12 elements differ" in out
