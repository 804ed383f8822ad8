"""Numbers that no attribute holds: a function's closure, defaults and attributes, and less usual containers."""

import pytest

HEAD = """
import collections
import functools
import types

import numpy as np

w0, b0 = np.random.RandomState(0).randn(3, 2), np.random.RandomState(1).randn(2)


def backward_of(w):
    def backward(g, cache):
        return g @ w.T, cache.T @ g, g.sum(axis=0)
    return backward


class Stored:
    def get(self):
        return self.p[0], self.p[1]

    def forward(self, x):
        self.x = x
        return x @ self.get()[0] + self.get()[1]

    def backward(self, g):
        return g @ self.get()[0].T, self.x.T @ g, g.sum(axis=0)


class Inner:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def f(self, x):
        return x @ self.w + self.b, x

    def g(self, g, cache):
        return g @ self.w.T, cache.T @ g, g.sum(axis=0)
"""
FORMS = {
    "partial": (
        """
class Pair:
    def __init__(self, w, b):
        self.forward = functools.partial(lambda x, w, b: (x @ w + b, x), w=w, b=b)
        self.backward = backward_of(w)


layer = Pair(w0, b0)
""",
        'keywords["b"] (2,): parameter',
    ),
    "a partial in a list": (
        """
class Layer:
    def __init__(self, w, b):
        self.steps = [functools.partial(lambda w, b, x: x @ w + b, w, b)]

    def forward(self, x):
        self.x = x
        return self.steps[0](x)

    def backward(self, g):
        return g @ self.steps[0].args[0].T, self.x.T @ g, g.sum(axis=0)


layer = Layer(w0, b0)
""",
        "self.steps[0].args[1] (2,): parameter",
    ),
    "defaults": (
        """
class Layer:
    def forward(self, x, w=w0, *, b=b0):
        self.x, self.w = x, w
        return x @ w + b

    def backward(self, g):
        return g @ self.w.T, self.x.T @ g, g.sum(axis=0)


layer = Layer()
""",
        "b (2,): parameter",
    ),
    "a function's attributes": (
        """
def forward(x):
    return x @ forward.w + forward.b, x


def backward(g, cache):
    return g @ forward.w.T, cache.T @ g, g.sum(axis=0)


forward.w, forward.b = w0, b0
layer = forward, backward
""",
        "b (2,): parameter",
    ),
    "a function in a closure": (
        """
def made(w, b):
    def affine(x):
        return x @ w + b

    def forward(x):
        return affine(x), x
    return forward, backward_of(w)


layer = made(w0, b0)
""",
        "affine.b (2,): parameter",
    ),
    "a function of the file": (
        """
def made(w, b):
    return lambda x: x @ w + b


affine, back = made(w0, b0), backward_of(w0)


class Layer:
    def forward(self, x):
        self.x = x
        return affine(x)

    def backward(self, g):
        return back(g, self.x)


layer = Layer()
""",
        "affine.b (2,): parameter",
    ),
    "methods of another object": (
        """
inner = [Inner(w0, b0)]
layer = inner[0].f, inner[0].g
del inner
""",
        "self.b (2,): parameter",
    ),
    "a queue": ("layer = Stored()\nlayer.p = collections.deque([w0, b0])\n", "self.p[1] (2,): parameter"),
    "an array of arrays": (
        "layer = Stored()\nlayer.p = np.empty(2, object)\nlayer.p[:] = w0, b0\n",
        "self.p[1] (2,): parameter",
    ),
    "a view of a dictionary": (
        "layer = Stored()\nlayer.p = types.MappingProxyType({0: w0, 1: b0})\n",
        "self.p[1] (2,): parameter",
    ),
    "a list itself": (
        "class Listed(Stored, list):\n    def get(self):\n        return self\n\n\nlayer = Listed([w0, b0])\n",
        "self[1] (2,): parameter",
    ),
    "deep inside": (
        "layer = Stored()\nlayer.p = [w0, b0]\nfor _ in range(10):\n    layer.p = types.SimpleNamespace(v=layer.p)\n"
        "def get(self):\n    p = self.p\n    while not isinstance(p, list):\n        p = p.v\n    return p\n"
        "Stored.get = get\n",
        "self.p.v.v.v.v.v.v.v.v.v.v[1] (2,): parameter",
    ),
    "a file beside": (
        "import kept_beside\n\n\nclass Layer(Stored):\n    def get(self):\n"
        "        return kept_beside.w, kept_beside.b\n\n\nlayer = Layer()\n",
        "kept_beside.b (2,): parameter",
    ),
}
BESIDE = "import numpy as np\n\nw, b = np.ones((3, 2)), np.ones(2)\n"


@pytest.fixture
def command(check_file, tmp_path):
    (tmp_path / "kept_beside.py").write_text(BESIDE)

    def run(source):
        return check_file(f"{source}\n\ndel w0, b0\n", "layer", "--input", "5,3")[:2]

    return run


@pytest.mark.parametrize("form", FORMS)
def test_they_are_compared(command, form):
    source, said = FORMS[form]
    status, out = command(HEAD + source)
    assert (status, "All agree." in out) == (0, True), out
    assert said in out
    status, out = command((HEAD + source).replace("g.sum(axis=0)", "2 * g.sum(axis=0)"))
    assert status == 1
    assert "b: 2 of 2 elements differ" in out or "1: 2 of 2 elements differ" in out, out
    status, out = command((HEAD + source).replace(", g.sum(axis=0)", ""))
    assert (status, "All agree." in out) == (1, False), out
    assert f"{said.partition(':')[0]}: the output depends on it, but no gradient of it was found" in out
