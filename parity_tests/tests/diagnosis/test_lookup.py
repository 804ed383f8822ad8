"""What is named: an entry of a dictionary or a list; and arguments that NumPy makes."""

import pytest

FILE = """
import os

import numpy as np


class Linear:
    def __init__(self, W, factor):
        self.W = W * factor

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, g):
        return g * (1 - self.y**2)


ACTIVATIONS = {"tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2), "wrong": (np.tanh, lambda x: 1 - np.tanh(x))}
LAYERS = [Tanh(), {"class": Tanh}]
"""

X = ["--input", "5,3"]


@pytest.mark.parametrize("name", ['ACTIVATIONS["tanh"]', "ACTIVATIONS['tanh']", "LAYERS[0]", "LAYERS[1]['class']"])
def test_an_entry_is_found(check_file, name):
    status, out, err = check_file(FILE, name, *X)
    assert (status, err) == (0, "")
    assert "All agree." in out


def test_a_wrong_entry_is_accused(check_file):
    status, out, _ = check_file(FILE, 'ACTIVATIONS["wrong"]', *X)
    assert status == 1
    assert "grad_input: 15 of 15 elements differ" in out


@pytest.mark.parametrize("name", ['ACTIVATIONS["relu"]', "LAYERS[2]", "Tanh.x", "ACTIVATIONS[", "Tanh()", "", "np[0]"])
def test_what_is_not_there_is_named(check_file, name):
    status, out, err = check_file(FILE, name, *X)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_numpy_makes_arguments(check_file):
    status, out, _ = check_file(FILE, "Linear", "--args", "np.random.randn(3, 2), 2", *X)
    assert status == 0
    assert out == check_file(FILE, "Linear", "--args", "np.random.randn(3, 2), 2", *X)[1]
    wrong = FILE.replace("self.x.T @ g", "-self.x.T @ g")
    status, out, _ = check_file(wrong, "Linear", "--args", "np.random.randn(3, 2), 2", *X)
    assert status == 1
    assert "grad_W: 6 of 6 elements differ" in out


@pytest.mark.parametrize("given", ["os.getcwd(), 2", "np.nothing(3), 2", "np.__dict__, 2", "nothing(3), 2"])
def test_other_modules_are_not_reached(check_file, given):
    status, _, err = check_file(FILE, "Linear", "--args", given, *X)
    assert status == 2
    assert "--args: expected literals" in err
