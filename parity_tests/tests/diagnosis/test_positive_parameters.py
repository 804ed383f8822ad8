"""Parameters that are positive by their meaning: no random number of theirs is negative where forward gives NaN."""

import pytest

SOURCE = """
import numpy as np


class LogDensity:
    def __init__(self, n):
        self.mean, self.width = np.zeros(n), np.ones(n)

    def forward(self, x):
        self.z = (x - self.mean) / self.width
        return -0.5 * self.z**2 - np.log(self.width)

    def backward(self, g):
        self.dmean = (g * self.z / self.width).sum(axis=0)
        self.dwidth = (g * (self.z**2 - 1) / self.width).sum(axis=0)
        return -g * self.z / self.width


class Root:
    start = 1.0

    def __init__(self, n):
        self.a = np.full(n, self.start)

    def forward(self, x):
        self.x = x
        return x * np.sqrt(self.a)

    def backward(self, g):
        self.da = (g * self.x / (2 * np.sqrt(self.a))).sum(axis=0)
        return g * np.sqrt(self.a)


class Radial:
    def __init__(self, n):
        self.centre, self.rate = np.random.randn(n), np.ones(n)

    def forward(self, x):
        self.d = x - self.centre
        self.y = np.exp(-self.rate * self.d**2)
        return self.y

    def backward(self, g):
        self.drate = -(g * self.y * self.d**2).sum(axis=0)
        dx = -2 * g * self.y * self.rate * self.d
        self.dcentre = -dx.sum(axis=0)
        return dx


class Softmax:
    def __init__(self, n):
        self.w = np.ones(n)

    def forward(self, x):
        self.x, z = x, x * self.w
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, g):
        dz = self.p * (g - (g * self.p).sum(axis=1, keepdims=True))
        self.dw = (dz * self.x).sum(axis=0)
        return dz * self.w
"""
OPTIONS = ["--args", "3", "--input", "5,3"]


@pytest.mark.parametrize(("name", "drawn"), [("LogDensity", "width"), ("Root", "a"), ("Radial", ""), ("Softmax", "")])
def test_a_right_layer_is_not_accused(checked, name, drawn):
    status, out = checked(SOURCE, name, *OPTIONS)
    assert status == 0, out
    assert (f"note: {drawn}: drawn as positive numbers" in out) == bool(drawn)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        ("LogDensity", "(self.z**2 - 1)", "self.z**2", "grad_width: "),
        ("LogDensity", "return -g * self.z / self.width", "return -g * self.z", "grad_input: "),
        ("Root", "(2 * np.sqrt(self.a))", "(2 * self.a)", "grad_a: "),
        ("Radial", "self.drate = -(g", "self.drate = (g", "grad_rate: "),
        ("Softmax", "e = np.exp(z - z.max(axis=1, keepdims=True))", "e = np.exp(z)", "exp overflows"),
    ],
)
def test_a_wrong_layer_is_accused(checked, name, right, wrong, said):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *OPTIONS)
    assert status == 1, out
    assert "All agree." not in out
    assert said in out


def test_nan_from_parameters_that_do_not_start_positive_is_said(checked):
    status, out = checked(SOURCE.replace("start = 1.0", "start = 0.0"), "Root", *OPTIONS)
    assert status == 1, out
    assert "forward gives NaN from finite numbers" in out
