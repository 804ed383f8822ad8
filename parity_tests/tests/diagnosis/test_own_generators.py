"""Dropout that draws from a generator of its own, wherever that lies: its draws are repeated where they have to be."""

import pytest

LAYERS = """
import random

import numpy as np

GLOBAL = np.random.default_rng(3)
OLD = np.random.RandomState(4)
PYTHON = random.Random(5)


class Dropout:
    def __init__(self, p):
        self.p, self.rng = p, np.random.default_rng(42)

    def draw(self, shape):
        return self.rng.random(shape)

    def forward(self, x):
        self.mask = (self.draw(x.shape) > self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, g):
        return g * self.mask


class FromTheFile(Dropout):
    def draw(self, shape):
        return GLOBAL.random(shape)


class FromAnOldOne(Dropout):
    def draw(self, shape):
        return OLD.random_sample(shape)


class FromPython(Dropout):
    def draw(self, shape):
        return np.array([PYTHON.random() for _ in range(np.prod(shape))]).reshape(shape)


class FromTheClass(Dropout):
    shared = np.random.default_rng(6)

    def draw(self, shape):
        return self.shared.random(shape)


class FromADefault(Dropout):
    def draw(self, shape, source=np.random.default_rng(7)):
        return source.random(shape)


class Inside:
    def __init__(self, p):
        self.layers = {"drop": [Dropout(p)]}

    def forward(self, x):
        return 2 * self.layers["drop"][0].forward(x)

    def backward(self, g):
        return 2 * self.layers["drop"][0].backward(g)


class Redraws(Dropout):
    def backward(self, g):
        return g * (self.draw(g.shape) > self.p) / (1 - self.p)


class NoScale(Dropout):
    def forward(self, x):
        self.mask = self.draw(x.shape) > self.p
        return x * self.mask


class TheSameMask(Dropout):
    def draw(self, shape):
        return np.random.default_rng(8).random(shape)


class Step:
    def __init__(self, n):
        self.W, self.lr, self.drop = np.ones((n, 1)), 0.1, Dropout(0.4)

    def loss(self, x, y):
        return np.mean((self.drop.forward(x) @ self.W - y.reshape(-1, 1)) ** 2)

    def train_step(self, x, y):
        x = self.drop.forward(x)
        self.W = self.W - self.lr * 2 * x.T @ (x @ self.W - y.reshape(-1, 1)) / len(x)
"""
SMALL = ["--args", "0.4", "--input", "5,6"]
AGAINST = [*SMALL, "--against", "torch.nn.Dropout"]


@pytest.mark.parametrize(
    "name", ["Dropout", "FromTheFile", "FromAnOldOne", "FromPython", "FromTheClass", "FromADefault", "Inside"]
)
def test_a_right_layer_is_not_accused(checked, name):
    status, out = checked(LAYERS, name, *SMALL)
    assert status == 0, out
    assert "\ngrad_input  (5, 6)" in out
    assert "note: forward draws at random" in out


@pytest.mark.parametrize("name", ["Dropout", "FromTheFile", "FromTheClass"])
def test_its_draws_are_distributed_like_pytorchs(checked, name):
    status, out = checked(LAYERS, name, *AGAINST)
    assert status == 0, out
    assert "over 300 draws the output is distributed like PyTorch's" in out


def test_the_same_draws_in_each_pass_are_named(checked):
    assert "makes the same draws in each pass" in checked(LAYERS, "TheSameMask", *AGAINST)[1]


def test_wrong_ones_are_found(checked):
    status, out = checked(LAYERS, "Redraws", *SMALL)
    assert status == 1
    assert "\ngrad_input: " in out
    status, out = checked(LAYERS, "NoScale", *AGAINST)
    assert status == 1
    assert "is none of the values that PyTorch's draws give" in out


def test_a_network_with_dropout_inside_takes_the_step(checked):
    assert checked(LAYERS, "Step", "--args", "3", "--input", "5,3", "--input", "5")[0] == 0
