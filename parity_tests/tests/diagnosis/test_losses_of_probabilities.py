"""Losses that take logarithms of probabilities: guards that backward leaves out, and inputs that are probabilities."""

import sys

import pytest

LOSSES = '''
import numpy as np

TINY = 1e-7


class SoftmaxWithLoss:
    def forward(self, x, t, epsilon=1e-7):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + epsilon)) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx / len(self.t)


class BCEWithLogits:
    def __init__(self):
        self.eps = 1e-6

    def forward(self, x, t):
        self.p, self.t = 1 / (1 + np.exp(-x)), t
        return -np.mean(t * np.log(self.p + self.eps) + (1 - t) * np.log(1 - self.p + self.eps))

    def backward(self):
        return (self.p - self.t) / self.t.size


class Weighted(BCEWithLogits):
    def forward(self, x, t):
        self.p, self.t = 1 / (1 + np.exp(-x)), t
        return -np.mean(t * np.log(self.p + TINY) + 2 * (1 - t) * np.log(1 - self.p + TINY))

    def backward(self):
        return (2 * self.p * (1 - self.t) - (1 - self.p) * self.t) / self.t.size


def bce(y, y_hat):
    return -np.mean(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))


def bce_prime(y, y_hat):
    return (y_hat - y) / (y_hat * (1 - y_hat)) / y.size


class Entropy:
    def forward(self, p):
        self.p = p
        return -np.sum(p * np.log(p), axis=1)

    def backward(self, grad):
        return -grad[:, None] * (np.log(self.p) + 1)


class Norm:
    def forward(self, x):
        self.centred = x - x.mean(axis=0)
        self.std = np.sqrt((self.centred**2).mean(axis=0) + 1e-5)
        return self.centred / self.std

    def backward(self, grad):
        std = np.sqrt((self.centred**2).mean(axis=0) + 1e-5)
        n = self.centred / std
        return (grad - grad.mean(axis=0) - n * (grad * n).mean(axis=0)) / std


class BCELoss:
    def forward(self, p, t):
        self.p, self.t = p, t
        return bce(t, p)

    def backward(self):
        return bce_prime(self.t, self.p)


from dataclasses import dataclass


@dataclass
class Options:  # its __init__ has no source
    eps: float = 1e-7

    def power(self):
        """
Text that begins further to the left than the function.
"""
        return np.log(self.eps + 1e-9)


class Private:
    def __init__(self):
        self.__w = np.array([1.5, 0.5, 2.0])

    def forward(self, x):
        self.x = x
        return np.log(x * x * self.__w + 1e-7)

    def backward(self, grad):
        return grad / self.x
'''
X = ("--input", "5,3")
BINARY = (*X, "--target", "binary")
GUARD = "adds taken as 0."
CASES = [
    ("SoftmaxWithLoss", (*X, "--target", "classes"), f"All agree, with the epsilon that line 11 of my.py {GUARD}"),
    ("BCEWithLogits", BINARY, f"All agree, with the self.eps that line 25 of my.py {GUARD}"),
    ("Weighted", BINARY, f"All agree, with the TINY that line 34 of my.py {GUARD}"),
    ("bce,bce_prime", (*X, *X), "the inputs were drawn between 0 and 1: forward gives NaN for others"),
    ("bce,bce_prime", BINARY, "the inputs were drawn between 0 and 1: forward gives NaN for others"),
    ("Entropy", X, "the inputs were drawn between 0 and 1: forward gives NaN for others"),
]
WRONG = [
    ("SoftmaxWithLoss", "return dx / len(self.t)", "return dx / dx.size"),
    ("BCEWithLogits", "return (self.p - self.t) / self.t.size", "return (self.p - self.t) / len(self.t)"),
    ("Weighted", "(2 * self.p * (1 - self.t)", "(self.p * (1 - self.t)"),
    ("bce,bce_prime", "/ (y_hat * (1 - y_hat))", "/ y_hat"),
    ("bce,bce_prime", "(y_hat - y)", "(y - y_hat)"),
    ("Entropy", "(np.log(self.p) + 1)", "np.log(self.p)"),
]


@pytest.mark.parametrize(
    ("name", "options", "said", "right", "wrong"),
    [(*case, *twin[1:]) for case, twin in zip(CASES, WRONG, strict=True)],
)
def test_a_right_loss_agrees_and_its_wrong_twin_does_not(check_file, name, options, said, right, wrong):
    status, out, err = check_file(LOSSES, name, *options)
    assert (status, err) == (0, ""), out
    assert said in out
    assert LOSSES.count(right) == 1
    status, out, _ = check_file(LOSSES.replace(right, wrong), name, *options)
    assert status == 1
    assert "differ" in out


def test_inputs_are_probabilities_where_pytorch_refuses_others(check_file):
    options = (*BINARY, "--against", "torch.nn.BCELoss")
    status, out, err = check_file(LOSSES, "BCELoss", *options)
    assert (status, err) == (0, ""), out
    assert "note: the inputs were drawn between 0 and 1: torch.nn.BCELoss refuses others" in out
    status, out, _ = check_file(
        LOSSES.replace("(1 - y) * np.log(1 - y_hat)", "0.5 * np.log(1 - y_hat)"), "BCELoss", *options
    )
    assert status == 1
    assert "output: 1 of 1 elements differs" in out
    status, out, _ = check_file(LOSSES.replace("np.log(1 - y_hat)", "np.log(1 - y_hat + 1e-8)"), "BCELoss", *options)
    assert status == 1
    assert "museum" not in out


def test_a_constant_outside_a_logarithm_is_named_as_the_mistake(check_file):
    backward = "std = np.sqrt((self.centred**2).mean(axis=0) + 1e-5)\n        n"
    assert LOSSES.count(backward) == 1
    status, out, _ = check_file(LOSSES, "Norm", *X)
    assert status == 0, out
    status, out, _ = check_file(LOSSES.replace(backward, backward.replace(" + 1e-5", "")), "Norm", *X)
    assert status == 1
    assert "backward leaves out the 1e-05 that line 60 of my.py adds: all agree once it is 0" in out


def test_a_number_that_is_not_followed_is_passed_over(check_file):
    status, out, err = check_file(LOSSES, "Private", *X)
    assert (status, err) == (1, "")
    assert "differ" in out


def test_the_function_gets_its_code_back(check_file):
    kept = "\n\nimport sys\n\nsys.learners_forward = SoftmaxWithLoss.forward, SoftmaxWithLoss.forward.__code__\n"
    status, *_ = check_file(LOSSES + kept, "SoftmaxWithLoss", *X, "--target", "classes")
    assert status == 0
    forward, code = vars(sys).pop("learners_forward")
    assert forward.__code__ is code


MARGINAL = """
import numpy as np


def marginal(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    s = p[:, :2].sum(axis=1, keepdims=True)
    seen = p**2 * np.array([1.0, 1.0, 0.0, 0.0])
    return -np.log(s).sum(), p - seen / (p * s)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "status", "said"),
    [
        ("", "", 1, "at inputs around 1000 and -1000, marginal gives NaN from finite numbers: it divides by a prob"),
        (" - x.max(axis=1, keepdims=True)", "", 1, "marginal gives NaN from finite numbers: exp overflows"),
        ("p - seen / (p * s)", "seen / (p * s) - p", 1, "grad_input: the sign is flipped"),
        ("p - seen / (p * s)", "p - seen / s", 1, "grad_input: 10 of 20 elements differ"),
    ],
)
def test_what_makes_a_gradient_nan_is_told(checked, right, wrong, status, said):
    assert MARGINAL.count(right) == 1 or not right
    found, out = checked(MARGINAL.replace(right, wrong) if right else MARGINAL, "marginal", "--input", "5,4")
    assert found == status, out
    assert said in out
