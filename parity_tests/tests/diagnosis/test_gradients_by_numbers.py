"""Gradients whose names say nothing: among the arrays that backward writes, finite differences tell which it is."""

import pytest

SOURCE = """
import numpy as np


class Recurrent:
    def __init__(self, n, width):
        self.U, self.V, self.b = np.random.randn(n, width), np.random.randn(width, width), np.zeros(width)
        self.Ug, self.Vg, self.bg = (np.zeros_like(one) for one in (self.U, self.V, self.b))
        self.seen = np.zeros_like(self.V)

    def forward(self, x):
        self.x, self.hs = x, [np.zeros((len(x), len(self.V)))]
        for t in range(x.shape[1]):
            self.hs.append(np.tanh(x[:, t] @ self.U + self.hs[-1] @ self.V + self.b))
        return np.stack(self.hs[1:], axis=1)

    def backward(self, g):
        dx, dh = np.zeros_like(self.x), 0
        for t in reversed(range(g.shape[1])):
            da = (g[:, t] + dh) * (1 - self.hs[t + 1] ** 2)
            self.Ug += self.x[:, t].T @ da
            self.Vg += self.hs[t].T @ da
            self.seen += self.hs[t + 1].T @ da
            self.bg += da.sum(axis=0)
            dx[:, t], dh = da @ self.U.T, da @ self.V.T
        return dx


class Updates:
    def __init__(self, n, width):
        self.kernel, self.offset = np.random.randn(n, width), np.zeros((1, width))

    def forward(self, x):
        self.x = x
        return x @ self.kernel + self.offset

    def backward(self, g):
        self.for_kernel, self.for_offset = self.x.T @ g, g.sum(axis=0)
        return g @ self.kernel.T
"""
RECURRENT = ["--args", "3, 4", "--input", "2,5,3"]
UPDATES = ["--args", "3, 2", "--input", "5,3"]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("Recurrent", RECURRENT, ["gradient in self.Ug", "gradient in self.Vg", "gradient in self.bg"]),
        ("Updates", UPDATES, ["gradient in self.for_kernel", "gradient in self.for_offset"]),
    ],
)
def test_a_right_layer_is_not_accused(checked, name, options, said):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out
    assert all(one in out for one in said)


@pytest.mark.parametrize(
    ("name", "options", "right", "wrong"),
    [
        ("Recurrent", RECURRENT, "self.Vg += self.hs[t].T @ da", "self.Vg += self.hs[t + 1].T @ da"),
        ("Recurrent", RECURRENT, "self.Vg += self.hs[t].T @ da", "pass"),
        ("Recurrent", RECURRENT, "self.Ug += self", "self.Ug = self"),
        ("Recurrent", RECURRENT, "self.bg += da.sum(axis=0)", "self.bg += da.mean(axis=0)"),
        ("Updates", UPDATES, "self.x.T @ g,", "-self.x.T @ g,"),
        ("Updates", UPDATES, "g.sum(axis=0)", "g.mean(axis=0)"),
        ("Updates", UPDATES, "g.sum(axis=0)", "0 * g.sum(axis=0)"),
    ],
)
def test_a_wrong_layer_is_accused(checked, name, options, right, wrong):
    assert right in SOURCE
    status, out = checked(SOURCE.replace(right, wrong), name, *options)
    assert status == 1, out
    assert "All agree." not in out
