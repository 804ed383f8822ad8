"""Losses and layers that return their own derivative if a flag says so."""

import pytest

SOURCE = """
import numpy as np


def mse(y_true, y_pred, derivative=False):
    if derivative:
        return 2 * (y_pred - y_true) / y_true.size
    return np.mean((y_true - y_pred) ** 2)


def of_rows(predicted, actual, prime=False):
    if prime:
        return 2 * (predicted - actual) / actual.shape[-1]
    return np.mean((predicted - actual) ** 2, axis=-1)


def bce(y, p, deriv=False):
    if deriv:
        return (p - y) / (p * (1 - p)) / y.size
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


class SquaredError:
    def __call__(self, y_true, y_pred, derivative=False):
        return mse(y_true, y_pred, derivative)


class Sigmoid:
    def compute(self, x, grad=False):
        s = 1 / (1 + np.exp(-x))
        return s * (1 - s) if grad else s
"""
SQUARES = [("2 * (y_pred - y_true)", "2 * (y_true - y_pred)"), ("/ y_true.size", "/ len(y_true)")]
ROWS = [("2 * (predicted - actual)", "(predicted - actual)"), ("/ actual.shape[-1]", "/ len(actual)")]
BINARY = [("(p - y)", "(y - p)"), ("p * (1 - p)", "p")]
CASES = [
    ("mse", ["--input", "5,3", "--target", "values"], SQUARES),
    ("mse", ["--input", "5,3", "--input", "5,3"], SQUARES),
    ("of_rows", ["--input", "5,3", "--target", "values"], ROWS),
    ("bce", ["--input", "6,1", "--target", "binary"], BINARY),
    ("SquaredError", ["--input", "5,3", "--target", "values"], SQUARES),
    ("Sigmoid", ["--input", "5,3"], [("s * (1 - s)", "s * (1 + s)"), ("s * (1 - s)", "s * (1 - x)")]),
]


@pytest.mark.parametrize(("name", "options", "mistakes"), CASES)
def test_the_flag_is_read_as_the_derivative(checked, name, options, mistakes):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "=True)(forward's arguments" in out
    assert "grad_input" in out
    for right, wrong in mistakes:
        assert SOURCE.count(right) == 1
        status, out = checked(SOURCE.replace(right, wrong), name, *options)
        assert status == 1
        assert "elements differ" in out
