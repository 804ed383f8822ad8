"""The first wrong line where backward calls other functions: helpers, and the backward of a layer within."""

import pytest

SOURCE = """
import numpy as np


class Base:
    def __init__(self, n, m):
        self.W, self.b = np.random.randn(n, m), np.zeros(m)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


class Elu(Base):
    def forward(self, x):
        z = super().forward(x)
        self.negative = z < 0
        self.out = np.where(self.negative, np.expm1(np.minimum(z, 0)), z)
        return self.out

    def backward(self, d):
        return super().backward(d * np.where(self.negative, self.out + 1, 1))


class Shared:
    def __init__(self, n):
        self.W, self.dW = np.random.randn(n, n) / 2, np.zeros((n, n))
        self.xs = []

    def once(self, x):
        self.xs.append(x)
        return x @ self.W

    def once_backward(self, d):
        self.dW += self.xs.pop().T @ d
        return d @ self.W.T

    def forward(self, x):
        for _ in range(3):
            x = x + np.tanh(self.once(x))
        return x

    def backward(self, d):
        for _ in range(3):
            t = np.tanh(self.xs[-1] @ self.W)
            d = d + self.once_backward(d * (1 - t**2))
        return d


class Gated:
    def __init__(self, n, m):
        self.U, self.V = np.random.randn(n, m), np.random.randn(n, m)

    def forward(self, x):
        self.x, self.u, self.v = x, x @ self.U, np.tanh(x @ self.V)
        return self.u * self.v

    def backward(self, d):
        flat = lambda a: a.reshape(-1, a.shape[-1])
        du = d * self.v
        dv = d * self.u * (1 - self.v**2)
        self.dU, self.dV = flat(self.x).T @ flat(du), flat(self.x).T @ flat(dv)
        return du @ self.U.T + dv @ self.V.T


class Heads:
    def __init__(self, n, heads):
        self.heads, self.W = heads, np.random.randn(n, n)

    def forward(self, x):
        n, t, d = x.shape
        self.x, self.k = x, (x @ self.W).reshape(n, t, self.heads, -1).transpose(0, 2, 1, 3)
        return self.k**2

    def backward(self, d):
        join = lambda a: a.transpose(0, 2, 1, 3).reshape(self.x.shape)
        dk = 2 * self.k * d
        for w, dw in ((self.W, dk),):
            dw = join(dw)
            self.dW = np.tensordot(self.x, dw, ((0, 1), (0, 1)))
        return dw @ w.T
"""
ELU, GATED = ["--args", "3, 4", "--input", "5,3"], ["--args", "3, 4", "--input", "2,5,3"]
SHARED, HEADS = ["--args", "4", "--input", "5,4"], ["--args", "4, 2", "--input", "2,3,4"]
WRONG = [
    ("Elu", ELU, "super().backward(d * np.where(self.negative, self.out + 1, 1))", "self.out + 1", "self.out"),
    ("Elu", ELU, "self.dW, self.db = ", "d.sum(axis=0)", "d.sum(axis=0) / 2 - d[0]"),
    ("Shared", SHARED, "d = d + self.once_backward", "d = d + self", "d = self"),
    ("Shared", SHARED, "d = d + self.once_backward", "(1 - t**2)", "(1 - t)"),
    ("Gated", GATED, "return du @ self.U.T + dv @ self.V.T", "du @ self.U.T + ", ""),
    ("Gated", GATED, "dv = d * self.u * (1 - self.v**2)", "self.u * (1", "(1"),
    ("Heads", HEADS, "dk = 2 * self.k * d", "* self.k", "* (1 + self.k)"),
    ("Heads", HEADS, "join = lambda", "a.transpose(0, 2, 1, 3).reshape", "a.reshape"),
]


@pytest.mark.parametrize(("name", "options"), [("Elu", ELU), ("Shared", SHARED), ("Gated", GATED), ("Heads", HEADS)])
def test_a_right_layer_is_not_accused(checked, name, options):
    status, out = checked(SOURCE, name, *options)
    assert status == 0, out


@pytest.mark.parametrize(("name", "options", "line", "right", "wrong"), WRONG)
def test_the_first_wrong_line_is_marked(checked, name, options, line, right, wrong):
    before, _, after = SOURCE.partition(line)
    changed = f"{line}{after}".replace(right, wrong, 1)
    assert changed != f"{line}{after}"
    status, out = checked(before + changed, name, *options)
    assert status == 1, out
    marked = [text for text in out.splitlines() if text.startswith("> ")]
    assert [int(text.split()[1]) for text in marked] == [before.count("\n") + 1], out


def test_a_helper_that_rearranges_is_not_blamed_for_what_no_line_shows(checked):
    source = (
        SOURCE
        + """

def scaled(params, x):
    y = x * params["norm"]["g"]
    return y @ params["w"], (params, x, y)


def scaled_vjp(saved, d):
    params, x, y = saved
    t = lambda a: a.swapaxes(0, 1)
    dx = d @ t(params["w"])
    return {"w": t(t(d) @ y), "norm": {"g": (dx * x).sum(axis=0)}}, dx * params["norm"]["g"]


def start():
    return {"w": np.random.randn(3, 4), "norm": {"g": np.ones(3)}}
"""
    )
    options = ["--args", "params=start()", "--input", "5,3"]
    status, out = checked(source, "scaled,scaled_vjp", *options)
    assert status == 0, out
    status, out = checked(source.replace("(dx * x).sum", "(dx * y).sum"), "scaled,scaled_vjp", *options)
    assert status == 1, out
    assert "wrong" not in out.partition("differ")[2], out
    assert not [text for text in out.splitlines() if text.startswith("> ")], out
