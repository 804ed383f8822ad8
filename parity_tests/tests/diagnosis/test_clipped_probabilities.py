"""Losses of probabilities that they clip: beyond 0 and 1 forward is flat, and backward is meant for what is between."""

import pytest

SOURCE = """
import numpy as np


class BCE:
    def forward(self, y_pred, y_true):
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return -np.mean(y_true * np.log(p) + (1 - y_true) * np.log(1 - p))

    def backward(self, y_pred, y_true):
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        return (p - y_true) / (p * (1 - p)) / y_true.size


def nll(p, t):
    return -np.sum(t * np.log(np.maximum(p, 1e-12)), axis=1)


def nll_grad(p, t):
    return -t / np.maximum(p, 1e-12)


class Sparse:
    def loss(self, y_true, y_pred):
        self.p, self.t = np.clip(y_pred, 1e-15, 1 - 1e-15), y_true
        return -np.mean(np.log(self.p[np.arange(len(y_true)), y_true]))

    def gradient(self, y_true, y_pred):
        d = np.zeros_like(self.p)
        d[np.arange(len(y_true)), y_true] = -1 / self.p[np.arange(len(y_true)), y_true]
        return d / len(y_true)


class Clamped:
    '''It is flat beyond 0 and 1, too, but takes no logarithm.'''

    def forward(self, p, t):
        self.inside, self.d = (p > 0) & (p < 1), np.clip(p, 0, 1) - t
        return np.sum(self.d**2)

    def backward(self):
        return 2 * self.d * self.inside
"""
ONE, HOT, CLASSES = (
    ["--input", shape, "--target", kind] for shape, kind in (("6,1", "binary"), ("5,3", "one-hot"), ("5,3", "classes"))
)
BETWEEN = (
    "note: the inputs were drawn between 0 and {}: forward clips others, and does not depend on them (see --range)"
)
LOSSES = {
    "BCE": (ONE, 1, [("(p - y_true)", "(y_true - p)"), ("y_true.size", "1"), ("(p * (1 - p))", "p")]),
    "nll": (HOT, 2, [("return -t /", "return t /"), ("return -t /", "return -1 /"), ("axis=1)", "axis=1) / len(p)")]),
    "Sparse": (CLASSES, 1, [("d / len(y_true)", "d"), ("-1 / self.p", "1 / self.p"), ("-1 / self.p", "-self.p")]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_numbers_are_drawn_where_forward_depends_on_them(checked, name):
    options, most, mistakes = LOSSES[name]
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert BETWEEN.format(most) in out
    assert "grad_input " in out
    for right, wrong in mistakes:
        assert right in SOURCE
        status, out = checked(SOURCE.replace(right, wrong), name, *options)
        assert status == 1
        assert "elements differ" in out


@pytest.mark.parametrize("wrong", ["(p > 0)", "(p < 1)", "(p > -9)"])
def test_what_takes_no_logarithm_is_compared_beyond(checked, wrong):
    status, out = checked(SOURCE, "Clamped", "--input", "6,2", "--target", "binary")
    assert status == 0, out
    assert "were drawn between" not in out
    status, out = checked(SOURCE.replace("(p > 0) & (p < 1)", wrong), "Clamped", "--input", "6,2", "--target", "binary")
    assert status == 1
    assert "elements differ" in out
