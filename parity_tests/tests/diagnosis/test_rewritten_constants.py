"""Constants that forward computes anew, as spectral normalization's singular vectors in training."""

import pytest

SOURCE = """
import numpy as np


class SpectralLinear:
    def __init__(self, i, o):
        self.W, self.u = np.random.randn(o, i), np.random.randn(o)
        self.v = np.random.randn(i)

    def forward(self, x, training=False):
        if training:
            v = self.W.T @ self.u
            self.v = v / np.linalg.norm(v)
            u = self.W @ self.v
            self.u = u / np.linalg.norm(u)
        self.x, self.sigma = x, self.u @ self.W @ self.v
        return x @ (self.W / self.sigma).T

    def backward(self, g):
        dW = g.T @ self.x
        self.dW = (dW - (dW * self.W).sum() / self.sigma * np.outer(self.u, self.v)) / self.sigma
        return g @ self.W / self.sigma
"""
OPTIONS = ["SpectralLinear", "--args", "4,3", "--input", "5,4", "--constant", "u", "--constant", "v"]


UNFOLLOWED = SOURCE.replace("import numpy as np", "import math\nimport numpy as np").replace(
    "np.linalg.norm(v)", "math.hypot(*v)"
)
PROJECTION = " - (dW * self.W).sum() / self.sigma * np.outer(self.u, self.v)"


def test_constants_that_forward_writes_anew_are_left_out_of_the_gradient(checked):
    status, out = checked(SOURCE, *OPTIONS)
    assert status == 0, out
    assert "right with " in out


@pytest.mark.parametrize("options", [[], ["--eval"]])
@pytest.mark.parametrize("wrong", ["", PROJECTION.replace("self.v)", "self.x[0])"), PROJECTION.replace("-", "+")])
def test_what_else_is_left_out_is_no_constant(checked, options, wrong):
    status, out = checked(SOURCE.replace(PROJECTION, wrong), *OPTIONS, *options)
    assert status == 1, out
    assert "grad_W: 12 of 12 elements differ" in out


def test_only_what_is_declared_is_a_constant(checked):
    status, out = checked(SOURCE, *OPTIONS[:-2])
    assert status == 1, out
    assert "u is declared a constant, but treating it as one in any of its uses does not make" in out


def test_evaluation_mode_is_suggested_where_the_tape_does_not_follow(checked):
    status, out = checked(UNFOLLOWED, *OPTIONS)
    assert status == 1
    assert "forward writes it anew: does it leave it alone in evaluation mode (--eval)?" in out
    status, out = checked(UNFOLLOWED, *OPTIONS, "--eval")
    assert status == 0, out
    assert "\ngrad_W " in out
