"""The first wrong line where several objects have weights of one name, and where backward calls forward's functions."""

import pytest

SOURCE = """
import numpy as np


class Gate:
    def __init__(self):
        self.fc1 = {"w": np.random.randn(3, 2), "b": np.zeros(2)}
        self.fc2 = {"w": np.random.randn(2, 3), "b": np.zeros(3)}

    def forward(self, x):
        z = np.tanh(x @ self.fc1["w"] + self.fc1["b"])
        self.saved = x, z, z @ self.fc2["w"] + self.fc2["b"]
        return x * self.saved[2]

    def backward(self, g):
        x, z, s = self.saved
        ds = g * x
        self.fc2["dw"], self.fc2["db"] = z.T @ ds, ds.sum(0)
        dz = ds @ self.fc2["w"].T * (1 - z**2)
        self.fc1["dw"], self.fc1["db"] = x.T @ dz, dz.sum(0)
        return g * s + dz @ self.fc1["w"].T


class Momentum:
    def __init__(self):
        self.w, self.b, self.lr = np.random.randn(3, 2), np.zeros(2), 0.1
        self.vw, self.vb = np.zeros((3, 2)), np.zeros(2)

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, g):
        dx = g @ self.w.T
        self.vw = 0.9 * self.vw - self.lr * (self.x.T @ g)
        self.vb = 0.9 * self.vb - self.lr * g.sum(0)
        self.w += self.vw
        self.b += self.vb
        return dx


class Columns:
    def __init__(self):
        self.W = np.random.randn(6, 2)

    def forward(self, x):
        self.shape = x.shape
        self.columns = columns(x)
        return self.columns @ self.W

    def backward(self, g):
        self.dW = self.columns.T @ g
        return from_columns(g @ self.W.T, self.shape)


def columns(x):
    made = np.zeros((len(x) - 1, 2, x.shape[1]))
    for i in range(2):
        made[:, i] = x[i : i + len(x) - 1]
    return made.reshape(len(x) - 1, -1)


def from_columns(col, shape):
    col = col.reshape(len(col), 2, -1)
    dx = np.zeros(shape)
    for i in range(2):
        dx[i : i + len(col)] += col[:, i]
    return dx


class Windows:
    def window(self, t):
        p = np.pad(t, ((0, 0), (1, 1)))
        return p[:, :-2] + p[:, 1:-1] + p[:, 2:]

    def forward(self, x):
        self.x, self.d = x, 1 + 0.5 * self.window(x**2)
        return x / self.d

    def backward(self, g):
        return g / self.d - 2 * 0.5 * self.x * self.window(g * self.x / self.d**2)


class Residual:
    def __init__(self):
        self.a, self.b = Linear(), Linear()

    def forward(self, x):
        h = x + self.a.forward(x)
        return h + self.b.forward(np.tanh(h))

    def backward(self, g):
        t = self.b.x
        dh = self.b.backward(g) * (1 - t**2)
        dh = dh + g
        return dh + self.a.backward(dh)


class Linear:
    def __init__(self):
        self.W = np.random.randn(3, 3)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, g):
        self.dW = self.x.T @ g
        return g @ self.W.T
"""
WRONG = {
    "two dictionaries": ("Gate", "return g * s + dz", "return g * s - dz", "g * s - dz @"),
    "the first of two dictionaries": (
        "Gate",
        "x.T @ dz, dz.sum(0)",
        "x.T @ dz, ds.sum(0)[:2]",
        "x.T @ dz, ds.sum(0)[:2]",
    ),
    "a velocity": ("Momentum", "self.lr * g.sum(0)", "self.lr * g.mean(0)", "self.lr * g.mean(0)"),
    "a function that forward calls": ("Windows", "- 2 * 0.5", "- 0.5", "return g / self.d - 0.5"),
    "what is passed to a function": ("Columns", "from_columns(g @", "from_columns(2 * g @", "from_columns(2 * g @"),
    "a function that gets the right gradient": ("Columns", "+= col[:, i]", "+= col[:, 0]", "+= col[:, 0]"),
    "one of two layers": ("Residual", "self.x.T @ g\n", "self.x.T @ g / 2\n", "self.x.T @ g / 2"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_wrong_line_is_shown(checked, what):
    name, old, new, line = WRONG[what]
    status, out = checked(SOURCE, name, "--input", "5,3")
    assert status == 0, out
    assert SOURCE.count(old) == 1
    wrong = SOURCE.replace(old, new)
    status, out = checked(wrong, name, "--input", "5,3")
    assert status == 1
    marked = [shown for shown in out.splitlines() if shown.startswith("> ")]
    assert len(marked) == 1, out
    assert line in marked[0]


def test_of_two_layers_the_wrong_ones_parameter_is_named(checked):
    _, out = checked(SOURCE.replace("self.x.T @ g\n", "self.x.T @ g / 2\n"), "Residual", "--input", "5,3")
    assert "self.dW: this is 0.5 times the gradient of b.W; it should be the gradient of b.W" in out


def test_an_argument_is_named_with_the_function_that_gets_it(checked):
    _, out = checked(SOURCE.replace("from_columns(g @", "from_columns(2 * g @"), "Columns", "--input", "5,3")
    assert "col of from_columns: this is 2 times the gradient of columns; it should be the gradient of columns" in out


def test_a_factor_is_no_forgotten_skip_connection(checked):
    source = "def double(x):\n    return 2 * x\n\n\ndef double_backward(g):\n    return g\n"
    status, out = checked(source, "double", "--input", "5,3")
    assert status == 1
    assert "half of what it should be" in out
    assert "skip connection" not in out


def test_what_is_returned_by_name_is_incomplete_not_wrong(checked):
    wrong = SOURCE.replace("return dh + self.a.backward(dh)", "dx = self.a.backward(dh)\n        return dx")
    status, out = checked(wrong, "Residual", "--input", "5,3")
    assert status == 1
    assert "Something is missing in what line" in out
