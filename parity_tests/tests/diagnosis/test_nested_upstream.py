"""An upstream gradient within another: ``backward(dout, (dh, dc))``, as forward returns ``out, (h, c)``."""

import pytest

from parity_tests.tests.diagnosis.recurrent_layers import SEQUENCE

SOURCE = """
from typing import NamedTuple

import numpy as np


class State(NamedTuple):
    h: np.ndarray
    total: np.ndarray

"""
SOURCE += (
    SEQUENCE
    + """
    def backward(self, dout, dstate):
        dh, dtotal = dstate
        dx = np.zeros_like(self.x)
        self.dU, self.dV = np.zeros_like(self.U), np.zeros_like(self.V)
        for t in reversed(range(dout.shape[1])):
            da = (dout[:, t] + dh + dtotal) * (1 - self.hs[t + 1] ** 2)
            self.dU += self.x[:, t].T @ da
            self.dV += self.hs[t].T @ da
            dx[:, t], dh = da @ self.U.T, da @ self.V.T
        return dx, (dh, dtotal)


class Outer:
    def __init__(self, n, width):
        self.inner = Sequence(n, width)

    def forward(self, x, hx):
        return self.inner.forward(x, hx)

    def backward(self, grad_out, grad_hx):
        return self.inner.backward(grad_out, grad_hx)


def sequence(x, h, total, U, V):
    layer = Sequence(*U.shape)
    layer.U, layer.V = U, V
    y, state = layer.forward(x, (h, total))
    return y, state, (layer.hs, x, U, V)


def sequence_backward(dy, dstate, cache):
    layer = Sequence(*cache[2].shape)
    layer.hs, layer.x, layer.U, layer.V = cache
    dx, (dh, dtotal) = layer.backward(dy, dstate)
    return dx, dh, dtotal, layer.dU, layer.dV
"""
)
INNER = {
    "taken apart": [],
    "by index": [("dh, dtotal = dstate", "dh, dtotal = dstate[0], dstate[1]")],
    "by key": [
        ("axis=1), (h, total)", "axis=1), {'h': h, 'total': total}"),
        ("dh, dtotal = dstate", "dh, dtotal = dstate['h'], dstate['total']"),
    ],
    "by name": [
        ("axis=1), (h, total)", "axis=1), State(h, total)"),
        ("dh, dtotal = dstate", "dh, dtotal = dstate.h, dstate.total"),
    ],
    "all in one": [
        (
            "backward(self, dout, dstate):\n        dh, dtotal = dstate",
            "backward(self, up):\n        dout, (dh, dtotal) = up",
        )
    ],
    "optional": [
        ("dout, dstate):", "dout, last=None):"),
        ("dh, dtotal = dstate", "dh, dtotal = (0, 0) if last is None else last"),
    ],
    "called a cache": [
        ("self, x, state):\n        h, total = state", "self, x, cache):\n        h, total = cache"),
        ("dout, dstate):\n        dh, dtotal = dstate", "dout, dcache):\n        dh, dtotal = dcache"),
    ],
    "state in its own arguments": [("self, x, state):\n        h, total = state", "self, x, h, total):")],
}
OPTIONS = ["--args", "3, 4", "--input", "2,5,3", "--input", "2,4", "--input", "2,4"]
FUNCTIONS = [*OPTIONS[2:], "--input", "3,4", "--input", "4,4"]
WRONG = [
    ("        dx = np.zeros_like(self.x)\n", "        dx, dh = np.zeros_like(self.x), 0\n"),
    ("+ dh + dtotal)", "+ dh)"),
    ("self.dV += self.hs[t]", "self.dV += self.hs[t + 1]"),
    ("(dh, dtotal)\n\n\nclass Outer", "(0 * dh, dtotal)\n\n\nclass Outer"),
    ("(dh, dtotal)\n\n\nclass Outer", "(dtotal, dh)\n\n\nclass Outer"),
]


def written(form):
    source = SOURCE
    for right, other in INNER[form]:
        assert right in source
        source = source.replace(right, other)
    return source


@pytest.mark.parametrize("form", list(INNER))
def test_a_right_layer_is_not_accused(checked, form):
    status, out = checked(written(form), "Sequence", *OPTIONS)
    assert status == 0, out
    assert "not compared" not in out


@pytest.mark.parametrize("form", list(INNER))
@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_a_wrong_layer_is_accused(checked, form, right, wrong):
    source = written(form)
    assert right in source
    status, out = checked(source.replace(right, wrong), "Sequence", *OPTIONS)
    assert status == 1, out
    assert "All agree." not in out


@pytest.mark.parametrize(("name", "options"), [("Outer", OPTIONS), ("sequence,sequence_backward", FUNCTIONS)])
def test_a_layer_that_hands_it_on_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out


@pytest.mark.parametrize(("name", "options"), [("Outer", OPTIONS), ("sequence,sequence_backward", FUNCTIONS)])
@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_a_wrong_layer_that_hands_it_on_is_accused(checked, name, options, right, wrong):
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out


def test_the_report_says_what_is_within_what(checked):
    _, out = checked(SOURCE, "Sequence", *OPTIONS)
    assert "forward(x, state[0], state[1]) -> (y0, (y1[0], y1[1]))" in out
    assert "backward(dout = the gradient of y0, dstate = the gradient of (y1[0], y1[1]))" in out


def test_a_state_that_backward_has_no_gradient_of_is_named(checked):
    source = SOURCE.replace("dout, dstate):\n        dh, dtotal = dstate", "dout):\n        dh, dtotal = 0, 0")
    status, out = checked(source, "Sequence", *OPTIONS)
    assert status == 1, out
    assert "y1[0] (2, 4), which forward returns: not compared" in out


def test_the_first_wrong_line_is_named(checked):
    _, out = checked(SOURCE.replace("+ dh + dtotal)", "+ dh)"), "Sequence", *OPTIONS)
    number = SOURCE[: SOURCE.index("da = ")].count("\n") + 1
    assert f"The first wrong line is line {number}, da" in out


def test_an_error_in_backward_is_told_as_one(checked):
    status, out = checked(SOURCE.replace("@ self.V.T", "@ self.U.T"), "Sequence", *OPTIONS)
    assert status == 1, out
    assert "in backward: " in out
