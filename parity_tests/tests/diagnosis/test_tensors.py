"""Classes of arrays that record their operations, as in the tutorials that extend micrograd to arrays."""

import pytest

CLOSURES = """
import numpy as np


class Tensor:
    def __init__(self, data, _children=()):
        self.data = np.asarray(data, dtype=float)
        self.grad = np.zeros_like(self.data)
        self._backward = lambda: None
        self._prev = set(_children)

    def __add__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        out = Tensor(self.data + other.data, (self, other))
        def _backward():
            self.grad += unbroadcast(out.grad, self.data.shape)
            other.grad += unbroadcast(out.grad, other.data.shape)
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        out = Tensor(self.data * other.data, (self, other))
        def _backward():
            self.grad += unbroadcast(other.data * out.grad, self.data.shape)
            other.grad += unbroadcast(self.data * out.grad, other.data.shape)
        out._backward = _backward
        return out

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, (self, other))
        def _backward():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad
        out._backward = _backward
        return out

    def __pow__(self, n):
        out = Tensor(self.data**n, (self,))
        def _backward():
            self.grad += n * self.data ** (n - 1) * out.grad
        out._backward = _backward
        return out

    def relu(self):
        out = Tensor(np.maximum(self.data, 0), (self,))
        def _backward():
            self.grad += (out.data > 0) * out.grad
        out._backward = _backward
        return out

    def dropout(self, p=0.5):
        keep = np.random.rand(*self.data.shape) > p
        out = Tensor(self.data * keep / (1 - p), (self,))
        def _backward():
            self.grad += out.grad * keep / (1 - p)
        out._backward = _backward
        return out

    def log(self):
        out = Tensor(np.log(self.data), (self,))
        def _backward():
            self.grad += out.grad / self.data
        out._backward = _backward
        return out

    def sum(self, axis=None):
        out = Tensor(self.data.sum(axis=axis), (self,))
        def _backward():
            grad = out.grad if axis is None else np.expand_dims(out.grad, axis)
            self.grad += np.broadcast_to(grad, self.data.shape)
        out._backward = _backward
        return out

    @property
    def T(self):
        out = Tensor(self.data.T, (self,))
        def _backward():
            self.grad += out.grad.T
        out._backward = _backward
        return out

    @property
    def shape(self):
        return self.data.shape

    def numpy(self):
        return self.data

    def backward(self):
        topo, visited = [], set()
        def build(v):
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build(child)
                topo.append(v)
        build(self)
        self.grad = np.ones_like(self.data)
        for node in reversed(topo):
            node._backward()


def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g
"""

DEPENDENCIES = """
import numpy as np


class Tensor:
    '''Its gradients are tensors, and only some tensors have one.'''

    def __init__(self, data, requires_grad=False, depends_on=()):
        self.data, self.requires_grad, self.depends_on = np.asarray(data), requires_grad, list(depends_on)
        self.grad = Tensor(np.zeros(self.data.shape)) if requires_grad else None

    def backward(self, grad: "Tensor" = None) -> None:
        assert self.requires_grad
        if grad is None:
            assert self.data.shape == ()
            grad = Tensor(np.array(1.0))
        self.grad.data = self.grad.data + grad.data
        for tensor, function in self.depends_on:
            tensor.backward(Tensor(function(grad.data)))

    def sum(self):
        depends_on = [(self, lambda g: g * np.ones_like(self.data))] if self.requires_grad else []
        return Tensor(self.data.sum(), self.requires_grad, depends_on)

    def __sub__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        depends_on = [(self, lambda g: fitted(g, self))] if self.requires_grad else []
        depends_on += [(other, lambda g: -fitted(g, other))] if other.requires_grad else []
        return Tensor(self.data - other.data, self.requires_grad or other.requires_grad, depends_on)

    def mm(self, other):
        depends_on = [(self, lambda g: g @ other.data.T), (other, lambda g: self.data.T @ g)]
        return Tensor(self.data @ other.data, True, depends_on)

    def sigmoid(self):
        s = 1 / (1 + np.exp(-self.data))
        return Tensor(s, True, [(self, lambda g: g * s * (1 - s))])


def fitted(g, tensor):
    for _ in range(g.ndim - tensor.data.ndim):
        g = g.sum(axis=0)
    for axis, n in enumerate(tensor.data.shape):
        g = g.sum(axis=axis, keepdims=True) if n == 1 else g
    return g
"""

TWINS = [
    (
        CLOSURES,
        "self.grad += unbroadcast(out.grad, self.data.shape)",
        "self.grad += out.grad",
        "a + b: backward",
    ),
    (CLOSURES, "self.grad += unbroadcast(out", "self.grad = unbroadcast(out", "half of what it should be: assigned"),
    (CLOSURES, "(other.data * out.grad, self", "(self.data * out.grad, self", "a * b: the gradient of a is"),
    (
        CLOSURES,
        "self.grad += out.grad @ other.data.T",
        "self.grad += out.grad.T @ other.data",
        "a @ b: backward",
    ),
    (CLOSURES, "other.grad += self.data.T @ out.grad", "other.grad += -self.data.T @ out.grad", "the sign is flipped"),
    (CLOSURES, "n * self.data ** (n - 1) * out", "self.data ** (n - 1) * out", "a ** 3: the gradient of a is"),
    (CLOSURES, "(out.data > 0) * out.grad", "(out.data > 0)", "a.relu(): the gradient of a is"),
    (CLOSURES, "(out.data > 0) * out.grad", "out.grad", "the operation's own derivative is left out"),
    (CLOSURES, "self.grad += out.grad / self.data", "self.grad += 1 / self.data", "the upstream gradient is left out"),
    (CLOSURES, "np.expand_dims(out.grad, axis)", "np.expand_dims(out.grad, axis) / 2", "a.sum(axis=0): the gradient"),
    (CLOSURES, "out.grad * keep / (1 - p)", "out.grad * keep", "half of what it should be"),
    (CLOSURES, "self.grad += out.grad.T\n", "pass\n", "a.T: the gradient of a is 0"),
    (CLOSURES, "in reversed(topo)", "in topo", "the gradient of a is"),
    (DEPENDENCIES, "self.grad.data = self.grad.data + grad.data", "self.grad.data = grad.data", ""),
    (DEPENDENCIES, "lambda g: -fitted(g, other)", "lambda g: fitted(g, other)", "a - b: the gradient of b is"),
    (DEPENDENCIES, "lambda g: -fitted(g, other)", "lambda g: -g", "expected (4,), for (3, 4) and (4,): sum it over"),
    (DEPENDENCIES, "g * s * (1 - s)", "g * (1 - s)", "a.sigmoid(): the gradient of a is"),
    (DEPENDENCIES, "lambda g: g @ other.data.T", "lambda g: 2 * g @ other.data.T", "twice what it should be"),
]


@pytest.mark.parametrize(
    ("source", "operations"),
    [
        (
            CLOSURES,
            [
                "a + b",
                "a + 3",
                "a * b",
                "a @ b",
                "a ** 3",
                "a.relu()",
                "a.dropout()",
                "a.log()",
                "a.sum(axis=1)",
                "a.T",
            ],
        ),
        (CLOSURES, ["a * a, an array used twice", "c * (c * b) with c = a * b, a result used twice"]),
        (DEPENDENCIES, ["a - b", "a - 3", "a.mm(b)", "a.sigmoid()", "a.sum()"]),
    ],
)
def test_right_operations_agree(checked, source, operations):
    status, out = checked(source, "Tensor", "--input", "3,4")
    assert status == 0, out
    assert "All agree." in out
    assert [one for one in operations if f"  {one}: agrees" not in out] == []
    assert "a.shape" not in out
    assert "numpy" not in out


@pytest.mark.parametrize(("source", "right", "wrong", "said"), TWINS, ids=[f"{one[2]}-{one[3]}" for one in TWINS])
def test_a_wrong_operation_is_accused(checked, source, right, wrong, said):
    assert source.count(right) == 1
    status, out = checked(source.replace(right, wrong), "Tensor")
    assert status == 1, out
    assert said in out
    assert "All agree" not in out


def test_a_single_operation_may_be_named(checked):
    status, out = checked(CLOSURES.replace("out.grad / self.data", "out.grad"), "Tensor.relu")
    assert status == 0, out
    assert "a.relu(): agrees" in out
    assert "a.log()" not in out
    status, out = checked(CLOSURES.replace("out.grad / self.data", "out.grad"), "Tensor.log")
    assert status == 1
    assert "Tensor.log:" in out
    assert ">   63  self.grad += out.grad" in out


def test_without_a_product_and_a_sum_the_upstream_gradient_is_1(checked):
    source = CLOSURES.replace("def __mul__", "def times")
    status, out = checked(source, "Tensor")
    assert status == 0, out
    assert "note: each upstream gradient was 1" in out


def test_what_cannot_be_run_is_refused(checked):
    status, out = checked(CLOSURES, "Tensor.numpy")
    assert status == 2
    assert "Tensor has no numpy that could be run on arrays" in out


LAYERS = (
    CLOSURES
    + """

class Parameter(Tensor):
    pass


class MLP:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = Parameter(np.random.randn(n_in, n_hidden)), Parameter(np.zeros(n_hidden))
        self.W2, self.b2 = Parameter(np.random.randn(n_hidden, n_out)), Parameter(np.zeros(n_out))

    def __call__(self, x):
        return (x @ self.W1 + self.b1).relu() @ self.W2 + self.b2

    def parameters(self):
        return [self.W1, self.b1, self.W2, self.b2]
"""
)
GATE = (
    DEPENDENCIES
    + """

class Gate:
    def __init__(self, n_in, n_out):
        self.w = Tensor(np.random.randn(n_in, n_out), requires_grad=True)
        self.b = Tensor(np.zeros(n_out), requires_grad=True)

    def forward(self, x):
        return (x.mm(self.w) - self.b).sigmoid()
"""
)


@pytest.mark.parametrize(
    ("source", "name", "args", "right", "wrong"),
    [
        (LAYERS, "MLP", "3, 4, 2", "self.grad += out.grad @ other.data.T", "self.grad += 2 * out.grad @ other.data.T"),
        (LAYERS, "MLP", "3, 4, 2", "(out.data > 0) * out.grad", "out.grad"),
        (LAYERS, "MLP", "3, 4, 2", "other.grad += unbroadcast(out", "other.grad -= unbroadcast(out"),
        (GATE, "Gate", "3, 2", "g * s * (1 - s)", "g * (1 - s)"),
        (GATE, "Gate", "3, 2", "lambda g: -fitted(g, other)", "lambda g: fitted(g, other)"),
    ],
)
def test_a_layer_on_tensors_needs_no_backward_of_its_own(checked, source, name, args, right, wrong):
    assert source.count(right) == 1
    options = ["--args", args, "--input", "5,3"]
    status, out = checked(source, name, *options)
    assert status == 0, out
    assert "All agree." in out
    assert "backward(grad_output) -> the gradient of x" in out
    status, out = checked(source.replace(right, wrong), name, *options)
    assert status == 1
    assert "elements differ" in out
    assert "All agree" not in out
