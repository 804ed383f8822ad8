"""A recurrent state that goes in and out as a tuple, (h, c), behind the other inputs."""

import pytest

from parity_tests.tests.diagnosis.recurrent_layers import SEQUENCE

SOURCE = """
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Cell:
    def __init__(self, n, width):
        self.W, self.b = np.random.randn(n + width, 4 * width) / 2, np.zeros(4 * width)

    def forward(self, x, state):
        h, c = state
        self.z, self.c = np.concatenate([x, h], axis=1), c
        i, f, o, g = np.split(self.z @ self.W + self.b, 4, axis=1)
        self.i, self.f, self.o, self.g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        later = self.f * c + self.i * self.g
        self.t = np.tanh(later)
        h = self.o * self.t
        return h, (h, later)

    def backward(self, dh, dc):
        dc = dc + dh * self.o * (1 - self.t**2)
        di, df = dc * self.g * self.i * (1 - self.i), dc * self.c * self.f * (1 - self.f)
        do, dg = dh * self.t * self.o * (1 - self.o), dc * self.i * (1 - self.g**2)
        da = np.concatenate([di, df, do, dg], axis=1)
        self.dW, self.db = self.z.T @ da, da.sum(axis=0)
        dz = da @ self.W.T
        n = dz.shape[1] - dh.shape[1]
        return dz[:, :n], (dz[:, n:], dc * self.f)


class Flat(Cell):
    def forward(self, x, state):
        return super().forward(x, state)[1]

"""
SOURCE += (
    SEQUENCE
    + """
    def backward(self, dout, dlast, dtotal):
        dx, dh = np.zeros_like(self.x), dlast
        self.dU, self.dV = np.zeros_like(self.U), np.zeros_like(self.V)
        for t in reversed(range(dout.shape[1])):
            da = (dout[:, t] + dh + dtotal) * (1 - self.hs[t + 1] ** 2)
            self.dU += self.x[:, t].T @ da
            self.dV += self.hs[t].T @ da
            dx[:, t], dh = da @ self.U.T, da @ self.V.T
        return dx, (dh, dtotal)
"""
)
CELL = ["--args", "3, 4", "--input", "5,3", "--input", "5,4", "--input", "5,4"]
SEQUENCE = ["--args", "3, 4", "--input", "2,5,3", "--input", "2,4", "--input", "2,4"]


@pytest.mark.parametrize(("name", "options"), [("Cell", CELL), ("Flat", CELL), ("Sequence", SEQUENCE)])
def test_a_right_layer_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert "the gradient of state[0], the gradient of state[1]" in out


@pytest.mark.parametrize("name", ["Cell", "Flat"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("dc = dc + dh * self.o", "dc = dh * self.o"),
        ("dc * self.f)", "dc)"),
        ("[di, df, do, dg]", "[df, di, do, dg]"),
        ("da.sum(axis=0)", "da.mean(axis=0)"),
        ("(dz[:, n:], dc * self.f)", "(dc * self.f, dz[:, n:])"),
    ],
)
def test_a_wrong_cell_is_accused(checked, name, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *CELL)
    assert status == 1, out
    assert "All agree." not in out


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("np.zeros_like(self.x), dlast", "np.zeros_like(self.x), 0"),
        ("+ dh + dtotal)", "+ dh)"),
        ("self.dV += self.hs[t]", "self.dV += self.hs[t + 1]"),
        ("(dh, dtotal)", "(dlast, dtotal)"),
    ],
)
def test_a_wrong_sequence_is_accused(checked, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), "Sequence", *SEQUENCE)
    assert status == 1, out
    assert "All agree." not in out
