"""Numbers over a wider range: thresholds that the usual ones do not reach, and what saturates there by right."""

import pytest

LAYERS = """
import numpy as np


class ReLU6:
    top = 6

    def forward(self, x):
        self.x = x
        return np.clip(x, 0, 6)

    def backward(self, g):
        return g * (self.x > 0) * (self.x < self.top)


class WrongReLU6(ReLU6):
    top = np.inf


class Hardswish:
    def forward(self, x):
        self.x = x
        return x * np.clip(x + 3, 0, 6) / 6

    def backward(self, g):
        return g * np.where(self.x > 3, 1, np.where(self.x < -3, 0, (2 * self.x + 3) / 6))


class WrongHardswish(Hardswish):
    def backward(self, g):
        return g * (2 * self.x + 3) / 6


class Huber:
    def forward(self, x):
        self.x = x
        return np.where(np.abs(x) < 10, 0.5 * x * x, 10 * (np.abs(x) - 5))

    def backward(self, g):
        return g * np.clip(self.x, -10, 10)


class WrongHuber(Huber):
    def backward(self, g):
        return g * self.x


class Wide:
    def forward(self, x):
        self.x = x
        return np.clip(x, -50, 50)

    def backward(self, g):
        return g * (np.abs(self.x) < 50)


class WrongWide(Wide):
    def backward(self, g):
        return g


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-np.clip(x, -20, 20)))
        return self.y

    def backward(self, g):
        return g * self.y * (1 - self.y)


class Steep:
    def forward(self, x):
        self.x, self.y = x, np.exp(x**5)
        return self.y

    def backward(self, g):
        return g * self.y * 5 * self.x**4


class Cross:
    def forward(self, x, target):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.target = e / e.sum(axis=1, keepdims=True), target
        return -np.log(np.clip(self.p, 1e-7, 1 - 1e-7)[np.arange(len(x)), target]).mean()

    def backward(self, grad_output=1.0):
        p = self.p.copy()
        p[np.arange(len(p)), self.target] -= 1
        return p / len(p) * grad_output


class Clipped:
    def __init__(self, i, o):
        self.W = np.ones((i, o))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = np.clip(self.x.T @ g, -10, 10)
        return g @ self.W.T


class Scaled(Clipped):
    def backward(self, g):
        self.dW = self.x.T @ g
        self.dW = self.dW * min(1, 20 / np.linalg.norm(self.dW))
        return g @ self.W.T
"""
SMALL = ["--input", "5,3"]
BOTH = "They agree on numbers up to ±14 and ±100, too."


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ReLU6", SMALL, BOTH),
        ("ReLU6", [*SMALL, "--against", "torch.nn.ReLU6"], BOTH),
        ("ReLU6", [*SMALL, "--against", "torch.nn.ReLU6", "--dtype", "float32"], BOTH),
        ("Hardswish", SMALL, BOTH),
        ("Hardswish", [*SMALL, "--against", "torch.nn.Hardswish"], BOTH),
        ("Huber", SMALL, BOTH),
        ("Wide", SMALL, BOTH),
        ("Sigmoid", SMALL, BOTH),
        ("Sigmoid", [*SMALL, "--against", "torch.nn.Sigmoid"], BOTH),
        ("Steep", SMALL, "note: beyond about ±2 nothing was compared: forward is not finite there"),
        ("Cross", [*SMALL, "--target", "classes"], "They agree on numbers up to ±4, too."),
        ("Clipped", [*SMALL, "--args", "3, 4"], "note: on numbers up to ±14, grad_W is clipped to ±10"),
        ("Scaled", [*SMALL, "--args", "3, 4"], "note: on numbers up to ±14, grad_W is scaled down to a largest norm"),
    ],
)
def test_a_right_layer_is_not_accused(checked, name, options, said):
    status, out = checked(LAYERS, name, *options)
    assert status == 0, out
    assert said in out


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [
        ("WrongReLU6", SMALL, 14),
        ("WrongReLU6", [*SMALL, "--against", "torch.nn.ReLU6"], 14),
        ("WrongHardswish", SMALL, 14),
        ("WrongHardswish", [*SMALL, "--against", "torch.nn.Hardswish"], 14),
        ("WrongHuber", SMALL, 14),
        ("WrongHuber", ["--input", "2"], 14),
        ("WrongWide", SMALL, 100),
    ],
)
def test_a_threshold_that_backward_forgets_is_found(checked, name, options, limit):
    status, out = checked(LAYERS, name, *options)
    assert status == 1
    usual, _, wider = out.partition(f", numbers up to ±{limit}\n")
    assert "On these numbers they agree." in usual
    assert "\ngrad_input: " in wider


def test_a_range_that_is_given_is_kept(checked):
    status, out = checked(LAYERS, "WrongReLU6", *SMALL, "--range", "-2,2")
    assert status == 0
    assert "numbers up to" not in out
