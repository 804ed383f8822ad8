"""Numbers that no attribute holds: a function's closure, defaults and attributes, caches, less usual containers."""

import pytest

HEAD = """
import array
import collections
import contextvars
import functools
import types
import weakref

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
    "a file that forward imports": (
        "class Layer(Stored):\n    def get(self):\n        import kept_beside\n"
        "        return kept_beside.w, kept_beside.b\n\n\nlayer = Layer()\n",
        "kept_beside.b (2,): parameter",
    ),
    "a getter's closure": (
        """
def held(v):
    return property(lambda self: v)


class Layer(Stored):
    W, b = held(w0), held(b0)

    def get(self):
        return self.W, self.b

    def backward(self, g):
        dx, *self.grads = super().backward(g)
        self.dW, self.zero = self.grads.pop(0), np.zeros((3, 2))
        if self.grads:
            self.db = self.grads.pop(0)
        return dx


layer = Layer()
""",
        "Layer.b.v (2,): parameter",
    ),
    "a cached result": (
        "@functools.lru_cache\ndef made(*shape):\n    return np.random.RandomState(0).randn(*shape)\n\n\n"
        "class Layer(Stored):\n    def get(self):\n        return made(3, 2), made(2)\n\n\nlayer = Layer()\n"
        "layer.same = made(2)\n",
        "self.same (2,): parameter",
    ),
    "a generator": (
        "def kept(w, b):\n    while True:\n        yield w, b\n\n\nlayer = Stored()\nlayer.p = kept(w0, b0)\n"
        "Stored.get = lambda self: next(self.p)\n",
        "self.p[1] (2,): parameter",
    ),
    "read-only, of objects in a set, behind weak references": (
        "b0.flags.writeable = False\nkept = {Inner(w0, b0)}\nlayer = Stored()\nlayer.p = weakref.ref(*kept)\n"
        "Stored.get = lambda self: (self.p().w, self.p().b)\n",
        "self.p.b (2,): parameter",
    ),
    "a context variable": (
        "kept = contextvars.ContextVar('kept', default=(w0, b0))\nlayer = Stored()\n"
        "Stored.get = lambda self: kept.get()\n",
        "kept[1] (2,): parameter",
    ),
    "the globals of a function that was made": (
        "layer, made = Stored(), {'w': w0, 'b': b0}\nexec('def get(self): return w, b', made)\n"
        "Stored.get = made['get']\ndel made\n",
        "Stored.get.b (2,): parameter",
    ),
    "lists in a closure": (
        "def made(w, b):\n    return property(lambda self: (np.array(w), np.array(b)))\n\n\n"
        "class Layer(Stored):\n    kept = made(w0.tolist(), b0.tolist())\n\n    def get(self):\n"
        "        return self.kept\n\n\nlayer = Layer()\n",
        "Layer.kept.b (2,): parameter",
    ),
    "Python's arrays, one of which grows": (
        """
class Layer(Stored):
    def __init__(self, b):
        self.b, self.steps = array.array("d", b), array.array("d", [0.5])

    def get(self):
        self.steps.append(1.0)
        return w0_, np.array(self.b)


w0_, layer = w0, Layer(b0)
""",
        "self.b (2,): parameter",
    ),
    "a memory view": ("layer = Stored()\nlayer.p = w0, memoryview(b0)\n", "self.p[1] (2,): parameter"),
    "a list of tuples": (
        "layer = Stored()\nlayer.p = w0, [tuple(b0.tolist())]\n"
        "Stored.get = lambda self: tuple(map(np.array, self.p))\n",
        "self.p[1] (1, 2): parameter",
    ),
    "bytes": (
        "layer = Stored()\nlayer.w, layer.b = w0, b0.tobytes()\n"
        "Stored.get = lambda self: (self.w, np.frombuffer(self.b))\n",
        "self.b (2,): parameter",
    ),
    "a module of PyTorch's": (
        "import torch\n\nlayer = Stored()\nlayer.f = torch.nn.Linear(2, 3).double()\n"
        "layer.f.bias = torch.nn.Parameter(torch.from_numpy(b0).float())\n"
        "Stored.get = lambda self: (self.f.weight.detach().numpy(), self.f.bias.detach().numpy())\n",
        "self.f.bias.data (2,): f.bias",
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
    assert ": 2 of 2 elements differ" in out, out
    status, out = command((HEAD + source).replace(", g.sum(axis=0)", ""))
    assert (status, "All agree." in out) == (1, False), out
    assert f"{said.partition(':')[0]}: the output depends on it, but no gradient of it was found" in out
