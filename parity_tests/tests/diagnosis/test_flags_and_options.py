"""A flag without which forward keeps nothing for backward, and an option of backward that is None by default."""

import pytest

FLAGGED = """
import numpy as np


class Linear:
    def __init__(self, n, m):
        self.W, self.cache = np.random.randn(n, m), {}

    def forward(self, X, save_cache=False):
        if save_cache:
            self.cache["X"] = X
        return X @ self.W

    def backward(self, dZ):
        self.dW = self.cache["X"].T @ dZ
        return dZ @ self.W.T


class Attribute(Linear):
    def forward(self, X, save_cache=False):
        if save_cache:
            self.X = X
        return X @ self.W

    def backward(self, dZ):
        self.dW = self.X.T @ dZ
        return dZ @ self.W.T
"""
FLAGS = ["save_cache", "keep", "cache", "store", "retain_input", "requires_grad", "for_backward"]
OPTIONS = ["--args", "4, 3", "--input", "5,4"]


@pytest.mark.parametrize("name", ["Linear", "Attribute"])
@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_without_which_backward_does_not_run_is_set(checked, name, flag):
    status, out = checked(FLAGGED.replace("save_cache", flag), name, *OPTIONS)
    assert status == 0, out
    assert "All agree" in out
    assert f"{flag} = True: as it is by default, backward does not run" in out


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(("right", "wrong"), [(".T @ dZ", ".T @ -dZ"), ("dZ @ self.W.T", "2 * dZ @ self.W.T")])
def test_a_wrong_layer_with_such_a_flag_is_accused(wrong_line, flag, right, wrong):
    for name in ("Linear", "Attribute"):
        line, _ = wrong_line(FLAGGED.replace("save_cache", flag).replace(right, wrong), name, *OPTIONS)
        assert wrong in line


def test_what_backward_raises_with_the_flag_on_is_said(checked):
    status, out = checked(FLAGGED.replace("dZ @ self.W.T", "dZ @ self.W"), "Linear", *OPTIONS)
    assert status == 1
    assert "return dZ @ self.W\nValueError" in out
    assert "KeyError" not in out


def test_a_flag_stays_off_where_backward_runs(checked):
    source = FLAGGED.replace("return X @ self.W", "return X @ self.W + save_cache").replace(
        "if save_cache:", "if True:"
    )
    status, out = checked(source, "Linear", *OPTIONS)
    assert status == 0
    assert "save_cache = True" not in out


DECAYED = """
import numpy as np


class Decayed:
    def __init__(self, n, m):
        self.W, self.b = np.random.randn(n, m), np.random.randn(m)

    def forward(self, X):
        self.X = X
        return X @ self.W + self.b

    def backward(self, grad, alpha=None):
        self.W_grad = self.X.T @ grad
        if alpha is not None:
            self.W_grad += alpha * self.W
        self.b_grad = grad.sum(axis=0)
        return grad @ self.W.T
"""


def test_an_option_that_is_none_by_default_stays_so(checked):
    status, out = checked(DECAYED, "Decayed", *OPTIONS)
    assert status == 0, out
    assert "All agree" in out


@pytest.mark.parametrize(
    ("right", "wrong"), [("grad.sum(axis=0)", "grad.mean(axis=0)"), ("alpha=None", "alpha=0.1"), ("is not", "is")]
)
def test_a_wrong_layer_with_such_an_option_is_accused(checked, right, wrong):
    source = DECAYED.replace(right, wrong).replace("+= alpha *", "+= (alpha or 1) *")
    status, out = checked(source, "Decayed", *OPTIONS)
    assert status == 1
    assert "All agree" not in out


STEPPING = """
import numpy as np


class Stepping:
    def __init__(self, n, m):
        self.W, self.b = np.random.randn(n, m), np.random.randn(m)

    def forward(self, X):
        self.X = X
        return X @ self.W + self.b

    def backward(self, grad, lr=None):
        dx = grad @ self.W.T
        if lr is not None:
            self.W = self.W - lr * self.X.T @ grad
            self.b = self.b - lr * grad.sum(axis=0)
        return dx
"""


def test_a_rate_that_is_none_by_default_is_given(checked):
    status, out = checked(STEPPING, "Stepping", *OPTIONS)
    assert status == 0, out
    for right, wrong in [("grad.sum", "grad.mean"), ("lr * self.X.T", "-lr * self.X.T")]:
        status, out = checked(STEPPING.replace(right, wrong), "Stepping", *OPTIONS)
        assert status == 1
        assert "All agree" not in out
