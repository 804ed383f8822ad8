"""Backward is linear in the gradient that it gets: a clip lies beyond the usual ones."""

import pytest

SOURCE = """
import numpy as np


class Linear:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o), np.zeros(o)

    def forward(self, x):
        self.x = x
        return np.tanh(x) @ self.W + self.b

    def backward(self, g):
        self.dW = np.tanh(self.x).T @ g
        self.db = g.sum(axis=0)
        return g @ self.W.T * (1 - np.tanh(self.x) ** 2)


class Step(Linear):
    def backward(self, g, lr):
        dx = g @ self.W.T * (1 - np.tanh(self.x) ** 2)
        self.W -= lr * np.tanh(self.x).T @ g
        self.b -= lr * g.sum(axis=0)
        return dx
"""
OPTIONS = ["--args", "3, 2", "--input", "5,3"]
LARGE = "an upstream gradient 1024 times as large"


@pytest.mark.parametrize("name", ["Linear", "Step"])
def test_a_linear_backward_is_not_accused(checked, name):
    status, out = checked(SOURCE, name, *OPTIONS)
    assert status == 0, out
    assert LARGE not in out


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("np.tanh(self.x).T @ g\n", "np.clip(np.tanh(self.x).T @ g, -9, 9)\n", "grad_W is clipped to ±9"),
        (
            "self.dW = np.tanh(self.x).T @ g",
            "dW = np.tanh(self.x).T @ g; self.dW = dW * min(1, 50 / np.linalg.norm(dW))",
            "grad_W is scaled down to a largest norm",
        ),
    ],
)
def test_a_clip_of_a_parameters_gradient_is_said(checked, right, wrong, said):
    status, out = checked(SOURCE.replace(right, wrong), "Linear", *OPTIONS)
    assert status == 0, out
    assert f"note: with {LARGE}, {said}; up to there, it is right" in out


@pytest.mark.parametrize(
    ("name", "right", "wrong", "quantity"),
    [
        ("Linear", "return g @ self.W.T", "g = np.clip(g, -3, 3)\n        return g @ self.W.T", "grad_input"),
        ("Linear", "self.db = g.sum(axis=0)", "self.db = np.minimum(g, 3).sum(axis=0)", "grad_b"),
        ("Step", "self.b -= lr * g.sum(axis=0)", "self.b -= lr * np.minimum(g, 3).sum(axis=0)", "grad_b"),
    ],
)
def test_a_backward_that_is_not_linear_is_found(checked, name, right, wrong, quantity):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *OPTIONS)
    assert status == 1, out
    _, _, large = out.partition(f", {LARGE}\n")
    assert f"\n{quantity}: " in large
    assert "-> backward has to be linear in the gradient that it gets" in large
