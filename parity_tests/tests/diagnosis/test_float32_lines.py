"""Lines that compute in float32: right gradients are not accused for their rounding, wrong ones are still found."""

import pytest

SOURCE = """
import numpy as np


class Cell:
    def __init__(self, Wx, Wh):
        self.params = [Wx, Wh]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh)]

    def forward(self, x, h):
        Wx, Wh = self.params
        y = np.tanh(x @ Wx + h @ Wh)
        self.cache = x, h, y
        return y

    def backward(self, dy):
        Wx, Wh = self.params
        x, h, y = self.cache
        dt = dy * (1 - y**2)
        self.grads[0][...] = x.T @ dt
        self.grads[1][...] = h.T @ dt
        return dt @ Wx.T, dt @ Wh.T


class Steps:
    def __init__(self, i, o):
        self.params = [np.random.randn(i, o).astype("f"), np.random.randn(o, o).astype(np.float32)]
        self.grads = [np.zeros_like(one) for one in self.params]

    def forward(self, xs):
        n, steps, _ = xs.shape
        out = np.empty((n, steps, self.params[1].shape[0]), dtype="f")
        h = np.zeros(out[:, 0].shape, np.float32)
        self.cells = []
        for t in range(steps):
            cell = Cell(*self.params)
            h = cell.forward(xs[:, t], h)
            out[:, t] = h
            self.cells.append(cell)
        return out

    def backward(self, d):
        dxs = np.empty((*d.shape[:2], self.params[0].shape[0]), dtype="f")
        dh, sums = 0, [0, 0]
        for t in reversed(range(d.shape[1])):
            dx, dh = self.cells[t].backward(d[:, t] + dh)
            dxs[:, t] = dx
            for i, one in enumerate(self.cells[t].grads):
                sums[i] += one
        for i, one in enumerate(sums):
            self.grads[i][...] = one
        return dxs


class Scale:
    def __init__(self, n):
        self.s = np.random.randn(n)

    def forward(self, x):
        self.x = x
        return x * self.s

    def backward(self, g):
        self.ds = np.zeros(self.s.shape, dtype=np.single)
        self.ds += (g * self.x).sum(axis=0)
        return g * self.s


class Rounding(Scale):
    def forward(self, x):
        self.x = x.astype("float32")
        return np.float32(np.sin(self.x) * self.s)

    def backward(self, g):
        self.ds = (g * np.sin(self.x)).sum(axis=0)
        return g * np.cos(self.x) * self.s
"""
COMMANDS = {
    "Steps": ("--args", "3, 4", "--input", "2,5,3"),
    "Scale": ("--args", "3", "--input", "4,3"),
    "Rounding": ("--args", "3", "--input", "4,3"),
}


@pytest.mark.parametrize(("name", "lines"), [("Steps", "lines 27, 32, 33, 43 compute"), ("Scale", "line 64 computes")])
def test_new_arrays_and_weights_in_float32_are_no_mistake(checked, name, lines):
    status, out = checked(SOURCE, name, *COMMANDS[name])
    assert status == 0, out
    assert "All agree." in out
    assert f"note: {lines} in float32: compared with float64 in its place" in out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("Steps", "d[:, t] + dh)", "d[:, t])"),
        ("Steps", "sums[i] += one", "sums[i] = one"),
        ("Steps", "dt = dy * (1 - y**2)", "dt = dy * (1 - 1.0001 * y**2)"),
        ("Scale", "return g * self.s\n\n\nclass Rounding", "return g * self.s * 1.0001\n\n\nclass Rounding"),
        ("Scale", "(g * self.x).sum(axis=0)", "(g * self.x).mean(axis=0)"),
        ("Rounding", "(g * np.sin(self.x)).sum", "(g * np.sin(self.x)).mean"),
        ("Rounding", "g * np.cos(self.x) * self.s", "g * np.cos(self.x) * self.s * 1.001"),
    ],
)
def test_a_wrong_gradient_is_found_behind_the_rounding(checked, name, right, wrong):
    assert SOURCE.count(right) == 1
    status, out = checked(SOURCE.replace(right, wrong), name, *COMMANDS[name])
    assert status == 1, out
    assert "All agree" not in out
    assert "in float32: compared with float64 in its place" in out
    assert "too coarse" not in out


def test_the_first_wrong_line_is_found_behind_the_rounding(wrong_line):
    source = SOURCE.replace("dt = dy * (1 - y**2)", "dt = dy * (1 - y)")
    marked, sentence = wrong_line(source, "Steps", *COMMANDS["Steps"])
    assert "dt = dy * (1 - y)" in marked
    assert sentence.startswith("The first wrong line is ")


def test_a_forward_that_rounds_its_input_differs_and_no_line_of_backward_is_blamed(checked):
    status, out = checked(SOURCE, "Rounding", *COMMANDS["Rounding"])
    assert status == 1, out
    assert "forward gives float32 numbers, too coarse for finite differences" in out
    assert ": lines 71, 72 compute in float32; with float64 in its place, all agree" in out
    assert "first wrong line" not in out
