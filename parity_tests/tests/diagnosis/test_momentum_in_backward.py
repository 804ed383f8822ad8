"""A backward that takes a step with momentum: the velocity is its own, and no gradient."""

import pytest

SOURCE = """
import numpy as np


class Dense:
    def __init__(self, i, o, lr=0.1, momentum=0.9):
        self.w, self.v, self.lr, self.momentum = np.random.randn(i, o), np.zeros((i, o)), lr, momentum

    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.w)

    def backward(self, g):
        g = g * (1 - np.tanh(self.x @ self.w) ** 2)
        dx = g @ self.w.T
        self.v = self.momentum * self.v - self.lr * (self.x.T @ g)
        self.w += self.v
        return dx
"""
OPTIONS = ["Dense", "--args", "3,2", "--input", "5,3"]
WRONG = {
    "averaged": ("self.x.T @ g", "self.x.T @ g / len(g)", "grad_w: 6 of 6 elements differ"),
    "against the step": ("self.w += self.v", "self.w -= self.v", "grad_w: 6 of 6 elements differ"),
    "the input's gradient": ("dx = g @", "dx = 2 * g @", "grad_input: 15 of 15 elements differ"),
    "a sum that never fades": ("self.momentum * self.v", "self.v", "grad_w after a second backward: 6 of 6"),
    "Adam's": (
        "self.v = self.momentum * self.v - self.lr * (self.x.T @ g)\n        self.w += self.v",
        "d = self.x.T @ g\n        self.v = 0.9 * self.v + d * d\n        self.w -= self.lr * d / np.sqrt(self.v)",
        "self.w (3, 2): not compared: the step with self.v is not the learning rate times the gradient",
    ),
}


@pytest.mark.parametrize("start", ["np.zeros((i, o))", "0", "0.0"])
def test_the_first_step_is_compared_and_the_velocity_is_said_to_be_put_back(checked, start):
    status, out = checked(SOURCE.replace("np.zeros((i, o))", start), *OPTIONS)
    assert status == 0, out
    assert "\ngrad_w      (3, 2)" in out
    assert "self.v was put back before each backward, so what a step takes over" in out


@pytest.mark.parametrize("what", WRONG)
def test_wrong_twins_are_named(checked, what):
    old, new, said = WRONG[what]
    status, out = checked(SOURCE.replace(old, new), *OPTIONS)
    assert status == 1
    assert said in out
