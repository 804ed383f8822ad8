"""A backward that is deliberately not the derivative: it differs, and the report says what it may be."""

import pytest

SOURCE = """
import numpy as np


class Reversal:
    def forward(self, x):
        return x.copy()

    def backward(self, g):
        return -g


class Cube:
    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, g):
        return -3 * g * self.x**2


class Binarize:
    def forward(self, x):
        self.x = x
        return np.where(x >= 0, 1.0, -1.0)

    def backward(self, g):
        return g * (np.abs(self.x) <= 1)


class Round:
    def forward(self, x):
        return np.round(x)

    def backward(self, g):
        return g
"""
SURROGATE = "on purpose? A surrogate gradient is not the derivative, so it cannot be checked this way)"
SAID = {
    "Reversal": "-> grad_input: the sign is flipped (a gradient reversal layer, ",
    "Binarize": "-> grad_input: forward's derivative is zero everywhere (a straight-through estimator, ",
    "Round": "-> grad_input: forward's derivative is zero everywhere (a straight-through estimator, ",
}


@pytest.mark.parametrize("name", SAID)
def test_a_surrogate_differs_and_is_named(checked, name):
    status, out = checked(SOURCE, name, "--input", "4,3")
    assert status == 1
    assert f"{SAID[name]}{SURROGATE}" in out


def test_a_plain_mistake_is_no_surrogate(checked):
    status, out = checked(SOURCE, "Cube", "--input", "4,3")
    assert status == 1
    assert "-> grad_input: the sign is flipped\n" in out
    assert "surrogate" not in out
