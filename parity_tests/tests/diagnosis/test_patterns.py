"""A pattern of the differences is told on enough evidence only, and in whole sentences."""

import pytest

LAYERS = """
import numpy as np


class Corner:
    where = (-1, -1)

    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, g):
        dx = 2 * self.x * g
        dx[self.where] = 0
        return dx


class Row(Corner):
    where = 2


class Some(Corner):
    where = ([0, 3, 7, 9], [1, 0, 2, 0])


class Negative(Corner):
    def backward(self, g):
        return 2 * np.abs(self.x) * g


class Column(Corner):
    def backward(self, g):
        return (2 * self.x * g).sum(axis=1)


class Loss:
    def __init__(self, n):
        self.params = {"W1": np.ones((n, 4)), "W2": np.ones((4, 2))}

    def loss(self, X, y):
        h = np.tanh(X @ self.params["W1"])
        d = h @ self.params["W2"] - y
        dh = d @ self.params["W2"].T * (1 - h**2)
        return 0.5 * np.sum(d**2), {"W1": X.T @ dh, "W2": h.T @ d}


class Plain:
    def __init__(self, n):
        self.W = np.ones((n, 1))

    def loss(self, X, y):
        self.X, self.d = X, X @ self.W - y
        return 0.5 * np.sum(self.d**2)

    def backward(self):
        self.dW = self.X.T @ self.d
        return self.d @ self.W.T
"""


@pytest.mark.parametrize("name", ["Corner", "Some"])
def test_a_few_differences_make_no_pattern(checked, name):
    status, out = checked(LAYERS, name, "--input", "12,4")
    assert status == 1
    assert "differs only" not in out


def test_enough_differences_do(checked):
    assert "differs only at index 2 of axis 0" in checked(LAYERS, "Row", "--input", "12,4")[1]
    assert "differs only where the input is negative" in checked(LAYERS, "Negative", "--input", "12,4")[1]


def test_a_column_is_not_transposed(checked):
    status, out = checked(LAYERS, "Column", "--input", "5,1")
    assert status == 1
    assert "the right numbers in the wrong shape: (5,) instead of (5, 1)" in out
    assert "reshaped where it should be transposed" not in out


def test_what_returns_the_gradients_has_a_name(checked):
    status, out = checked(LAYERS, "Loss", "--args", "3", "--input", "5,3", "--input", "5,2", "--constant", "y")
    assert status == 0, out
    assert "note: loss returns no gradient of X" in out


def test_a_backward_without_arguments_is_described(checked):
    status, out = checked(LAYERS, "Plain", "--args", "3", "--input", "5,3", "--input", "5,1", "--constant", "y")
    assert status == 0, out
    assert "backward(nothing; its result is multiplied by grad_output) -> the gradient of X" in out
