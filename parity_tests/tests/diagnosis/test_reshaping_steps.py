"""A gradient (m,) of a bias (m, 1): right where the layer's own step reshapes it, and wrong anywhere else."""

import pytest

SOURCE = """
import numpy as np


class Linear:
    def __init__(self, n, m, lr=0.1):
        self.W, self.b, self.lr = np.random.randn(n, m), np.zeros((m, 1)), lr
        self.momentum_b = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b.T

    def backward(self, grad):
        self.grad_W = self.x.T @ grad
        self.grad_b = grad.sum(axis=0)
        return grad @ self.W.T

    def step(self):
        self.W = self.W - self.lr * self.grad_W
        self.b = self.b - self.lr * self.grad_b.reshape(self.b.shape)


class Two:
    def __init__(self, n, h, m):
        self.first, self.second = Linear(n, h), Linear(h, m)

    def forward(self, x):
        return self.second.forward(np.tanh(self.first.forward(x)))

    def backward(self, grad):
        hidden = np.tanh(self.first.forward(self.first.x))
        return self.first.backward(self.second.backward(grad) * (1 - hidden**2))

    def step(self):
        self.first.step()
        self.second.step()
"""

STEPS = [
    "self.b = self.b - self.lr * self.grad_b.reshape(self.b.shape)",
    "self.b -= self.lr * self.grad_b[:, None]",
    "self.momentum_b = 0.9 * self.momentum_b - self.lr * self.grad_b.reshape(-1, 1)\n        self.b += self.momentum_b",
]
ARGS = {"Linear": ["--args", "4, 3"], "Two": ["--args", "4, 6, 3"]}
INPUT = ["--input", "5,4"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ARGS)
def test_a_step_that_reshapes_is_right(checked, name, step):
    status, out = checked(SOURCE.replace(STEPS[0], step), name, *ARGS[name], *INPUT)
    assert status == 0, out
    assert "All agree" in out
    assert "the layer's own step keeps the shape" in out
    assert "step() moves each parameter by" in out


WRONG = [
    (STEPS[0], "self.b = self.b - self.lr * self.grad_b", "rate * gradient has shape"),
    (STEPS[0], "self.b = self.b + self.lr * self.grad_b[:, None]", "by different multiples of their gradients"),
    ("def step(self)", "def move(self)", "rate * gradient has shape"),
    ("grad.sum(axis=0)", "grad.mean(axis=0)", "elements differ"),
    ("self.x.T @ grad", "-self.x.T @ grad", "elements differ"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG)
@pytest.mark.parametrize("name", ARGS)
def test_a_wrong_one_is_accused(checked, name, right, wrong, said):
    status, out = checked(SOURCE.replace(right, wrong), name, *ARGS[name], *INPUT)
    assert status == 1, out
    assert said in out
