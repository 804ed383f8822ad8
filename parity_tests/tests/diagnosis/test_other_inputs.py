"""Other inputs, and inputs near zero: a branch that the usual ones do not reach."""

import pytest

SOURCE = """
import numpy as np


class Triplet:
    def forward(self, anchor, positive, negative):
        self.a, self.p, self.n = anchor, positive, negative
        gap = ((anchor - positive) ** 2).sum(1) - ((anchor - negative) ** 2).sum(1)
        self.active = (gap + 1 > 0)[:, None]
        return np.maximum(gap + 1, 0).mean()

    def backward(self):
        s = 2 * self.active / len(self.a)
        return s * (self.n - self.p), s * (self.p - self.a), s * (self.a - self.n)


def svm_loss(x, y):
    n = len(x)
    margins = np.maximum(0, x - x[np.arange(n), y][:, None] + 1)
    margins[np.arange(n), y] = 0
    dx = (margins > 0).astype(float)
    dx[np.arange(n), y] -= (margins > 0).sum(axis=1)
    return margins.sum() / n, dx / n


class Huber:
    def forward(self, x):
        self.x = x
        return np.where(np.abs(x) < 0.1, 5 * x**2, np.abs(x) - 0.05)

    def backward(self, g):
        return g * np.where(np.abs(self.x) < 0.1, 10 * self.x, np.sign(self.x))


class Softshrink:
    def __init__(self, lambd=0.2):
        self.lambd = lambd

    def forward(self, x):
        self.x = x
        return np.sign(x) * np.maximum(np.abs(x) - self.lambd, 0)

    def backward(self, g):
        return g * (np.abs(self.x) > self.lambd)


class Entropy:
    def forward(self, p, target):
        self.p, self.t = p, target
        return -(target * np.log(p)).sum() / len(p)

    def backward(self):
        return -self.t / self.p / len(self.p)


def function(x):
    return FORWARD


def function_backward(g, x):
    return g * (BACKWARD)
"""
TRIPLET = ["--input", "5,3"] * 3
LOSS = ["--input", "5,4", "--target", "classes"]
SMALL = ["--input", "5,3"]
SHRINK = [*SMALL, "--args", "0.2", "--against", "torch.nn.Softshrink"]
SAID = "other draws of the numbers, too."


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Triplet", TRIPLET),
        ("svm_loss", LOSS),
        ("Huber", SMALL),
        ("Huber", [*SMALL, "--range", "-1,1"]),
        ("Softshrink", SHRINK),
        ("Entropy", ["--input", "5,3", "--target", "one-hot", "--range", "0.1,0.9"]),
    ],
)
def test_a_right_layer_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert SAID in out


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        ("np.log(np.abs(x))", "1 / x"),
        ("x**-3.0", "-3 * x**-4.0"),
        ("np.sqrt(np.abs(x))", "0.5 * np.sign(x) / np.sqrt(np.abs(x))"),
        ("np.abs(x)", "np.sign(x)"),
        ("np.sin(50 * x)", "50 * np.cos(50 * x)"),
        ("np.exp(-1 / x**2)", "2 * np.exp(-1 / x**2) / x**3"),
    ],
)
def test_what_is_steep_at_zero_is_not_accused(checked, forward, backward):
    status, out = checked(SOURCE.replace("FORWARD", forward).replace("BACKWARD", backward), "function", *SMALL)
    assert status == 0, out
    assert SAID in out


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("Triplet", TRIPLET, "gap + 1 > 0", "gap > 0"),
        ("svm_loss", LOSS, "dx = (margins > 0)", "dx = (margins > 0.1)"),
        ("Huber", SMALL, "10 * self.x, ", "np.sign(self.x), "),
        ("Huber", [*SMALL, "--range", "-2,2"], "10 * self.x, ", "9 * self.x, "),
        ("Softshrink", SHRINK, "(np.abs(self.x) > self.lambd)", "1"),
    ],
)
def test_a_branch_that_backward_forgets_is_found(checked, name, options, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out


def test_the_report_names_what_was_drawn(checked):
    status, out = checked(SOURCE.replace("gap + 1 > 0", "gap > 0"), "Triplet", *TRIPLET)
    assert status == 1
    usual, _, other = out.partition(", other numbers\n")
    assert "On these numbers they agree." in usual
    assert "elements differ" in other
