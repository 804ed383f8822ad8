"""A forward or a backward that returns what another function of the file returns: the names are those of that one."""

import pytest

SOURCE = """
import numpy as np


def normalized(x, gamma, beta, eps):
    mean = x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    y = (x - mean) * rstd * gamma + beta
    return (y, mean, rstd)


def norm_forward(x, gamma, beta, eps=1e-5):
    return normalized(x, gamma, beta, eps)


def gradients(dy, x, gamma, mean, rstd):
    xhat = (x - mean) * rstd
    dgamma = (dy * xhat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    g = dy * gamma
    dx = rstd * (g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True))
    return dx, dgamma, dbeta


def norm_backward(dy, x, gamma, mean, rstd):
    return gradients(dy, x, gamma, mean, rstd)


class Norm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)

    def _forward(self, x):
        return normalized(x, self.gamma, self.beta, 1e-5)

    def forward(self, x):
        return self._forward(x)

    def backward(self, dy, x, mean, rstd):
        dx, self.dgamma, self.dbeta = gradients(dy, x, self.gamma, mean, rstd)
        return dx
"""

DIRECT = "return normalized(x, gamma, beta, eps)\n"
KEPT = "found = normalized(x, gamma, beta, eps)\n    return found\n"
NAMES = ["norm_forward,norm_backward", "norm_forward,gradients", "Norm"]


def options(name):
    return ["--input", "4,5", *(["--args", "5"] if name == "Norm" else ["--input", "5", "--input", "5"])]


@pytest.mark.parametrize("returned", [DIRECT, KEPT])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_for_backward_gets_no_upstream_gradient(checked, name, returned):
    status, out = checked(SOURCE.replace(DIRECT, returned), name, *options(name))
    assert status == 0, out
    assert "All agree" in out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("dbeta = dy.sum(axis=0)", "dbeta = dy.mean(axis=0)"), (" - xhat * (g", " + xhat * (g"), ("dx = rstd *", "dx =")],
)
def test_the_wrong_line_is_named(wrong_line, name, right, wrong):
    line, _ = wrong_line(SOURCE.replace(right, wrong), name, *options(name))
    assert wrong in line
