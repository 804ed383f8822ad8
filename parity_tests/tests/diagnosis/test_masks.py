"""Masks and lengths among forward's inputs, which random numbers cannot stand for."""

import pytest

LAYERS = """
import numpy as np


class Softmax:
    def forward(self, x, mask):
        s = np.where(mask, x, -1e9)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.p, self.mask = e / e.sum(axis=-1, keepdims=True), mask
        return self.p

    def backward(self, g):
        return self.p * (g - (g * self.p).sum(axis=-1, keepdims=True)) * self.mask


class Inverted(Softmax):
    def forward(self, x, mask):
        s = x.copy()
        s[~mask] = -1e9
        return super().forward(s, mask)


class Negative:
    def forward(self, x, attention_mask):
        self.mask = attention_mask
        return x * -(-attention_mask)

    def backward(self, g):
        return g * self.mask


class Unmasked:
    def forward(self, x, mask):
        return np.where(mask, x, 0)

    def backward(self, g):
        return g


class Mean:
    def forward(self, x, lengths):
        self.x, self.lengths = x, lengths
        return np.stack([row[:n].mean(axis=0) for row, n in zip(x, lengths)])

    def backward(self, g):
        dx = np.zeros_like(self.x)
        for i, n in enumerate(self.lengths):
            dx[i, :n] = g[i] / self.divisor(n)
        return dx

    def divisor(self, n):
        return n


class WrongMean(Mean):
    def divisor(self, n):
        return self.x.shape[1]
"""
TWO = ["--input", "3,4", "--input", "3,4"]
STEPS = ["--input", "3,5,2", "--input", "3"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("Softmax", [*TWO, "--constant", "mask"], "mask: drawn as booleans"),
        ("Softmax", TWO, "mask: drawn as booleans"),
        ("Inverted", TWO, "mask: drawn as booleans"),
        ("Negative", [*TWO, "--constant", "attention_mask"], "attention_mask: drawn as zeros and ones"),
        ("Mean", STEPS, "lengths: drawn as whole numbers"),
    ],
)
def test_a_right_layer_gets_a_mask(checked, name, options, said):
    status, out = checked(LAYERS, name, *options)
    assert status == 0, out
    assert f"note: {said}" in out
    assert "\ngrad_input " in out


@pytest.mark.parametrize(("name", "options"), [("Unmasked", TWO), ("WrongMean", STEPS)])
def test_a_wrong_one_is_found(checked, name, options):
    status, out = checked(LAYERS, name, *options)
    assert status == 1
    assert "\ngrad_input: " in out
