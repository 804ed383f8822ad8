"""Optimizers as functions that return (init, update, get_params), and those that PyTorch does not have."""

import pytest

ADAM = """
import numpy as np


def adam(step_size, b1=0.9, b2=0.999, eps=1e-8):
    def init(x0):
        return x0, np.zeros_like(x0), np.zeros_like(x0)

    def update(i, g, state):
        x, m, v = state
        m = (1 - b1) * g + b1 * m
        v = (1 - b2) * np.square(g) + b2 * v
        mhat = m / (1 - b1 ** (i + 1))
        vhat = v / (1 - b2 ** (i + 1))
        return x - step_size * mhat / (np.sqrt(vhat) + eps), m, v

    def get_params(state):
        return state[0]

    return init, update, get_params


class Lion:
    def __init__(self, lr=1e-4):
        self.lr = lr

    def step(self, w, g):
        return w - self.lr * np.sign(g)
"""

AGAINST = ["--against", "torch.optim.Adam", "--args", "1e-2"]


def test_a_triple_of_functions_is_walked(check_file):
    status, out, err = check_file(ADAM, "adam", *AGAINST)
    assert (status, err) == (0, "")
    assert "adam(...) -> (init, update, get_params)" in out
    assert "All agree: after 300 steps" in out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("b1 ** (i + 1)", "b1 ** (i + 2)", "W has moved by"),
        ("(np.sqrt(vhat) + eps)", "np.sqrt(vhat + eps)", "after step 1 the parameters differ"),
    ],
)
def test_a_wrong_triple_is_accused(check_file, right, wrong, said):
    assert right in ADAM
    status, out, err = check_file(ADAM.replace(right, wrong), "adam", *AGAINST)
    assert (status, err) == (1, "")
    assert said in out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("return init, update, get_params", "return init, update", "adam(0.01) returned 2 values"),
        ("return state[0]", "return state", "get_params returned 3 values, expected an array of shape (3, 4)"),
        ("x, m, v = state", "x, m = state", "too many values to unpack"),
    ],
)
def test_what_was_expected_of_a_function_is_named(check_file, right, wrong, said):
    status, _, err = check_file(ADAM.replace(right, wrong), "adam", *AGAINST)
    assert status == 2
    assert "expected f(w, dw, config) that returns (w, config), or f(options) that returns (init, update" in err
    assert said in err


def test_an_optimizer_that_pytorch_does_not_have_is_named(check_file):
    status, out, err = check_file(ADAM, "Lion", "--args", "lr=1e-3")
    assert (status, out) == (2, "")
    assert "Lion.step looks like an optimizer's step" in err
