"""Forms that are not arrays: an adapter runs as it is printed, agrees with a right layer, and accuses a wrong one."""

import shlex

import pytest
import torch

from benchmarks.cli import main

FORMS = """
import numpy as np
import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.exp(x) * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * torch.exp(x) * (1 + x)


class Linear:
    def __init__(self, i, o):
        self.w, self.b = torch.randn(i, o), torch.zeros(o)
        self.dw, self.db = torch.zeros(i, o), torch.zeros(o)

    def forward(self, x):
        self.x = x
        return torch.mm(x, self.w) + self.b

    def backward(self, g):
        self.dw += torch.mm(self.x.t(), g)
        self.db += g.sum(0)
        return torch.mm(g, self.w.t())


class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents, self.step = data, 0, parents, lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def step():
            self.grad += out.grad
            other.grad += out.grad

        out.step = step
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def step():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.step = step
        return out

    def backward(self):
        order, seen = [], set()

        def visit(value):
            if value not in seen:
                seen.add(value)
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad = 1
        for value in reversed(order):
            value.step()


class Neurons:
    def __init__(self, n):
        self.w = [Value(0.1 * i + 0.3) for i in range(n)]

    def __call__(self, x):
        products = [w * one for w, one in zip(self.w, x)]
        return [products[0] + products[1], products[1] * products[2]]

    def parameters(self):
        return self.w


class Tensor:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = np.array(data), None, parents

    def mm(self, other):
        return Tensor(self.data @ other.data, (self, other))

    def backward(self, grad):
        self.grad = grad
        for parent in self.parents:
            other = self.parents[1 - self.parents.index(parent)]
            first = parent is self.parents[0]
            parent.backward(Tensor(grad.data @ other.data.T if first else other.data.T @ grad.data))


class Product:
    def __init__(self, i, o):
        self.weight = Tensor(np.random.randn(i, o))

    def forward(self, x):
        return x.mm(self.weight)


def centred(x):
    dy = yield x - x.mean(-1, keepdims=True)
    yield dy - dy.mean(-1, keepdims=True)


class Dense:
    def __init__(self, units, shape):
        self.units, self.shape, self.W = units, shape, None

    def initialize(self, optimizer):
        self.W, self.optimizer = np.random.randn(*self.shape, self.units), optimizer

    def forward(self, x):
        self.x = x
        return x.dot(self.W)

    def backward(self, grad):
        W = self.W
        self.W = self.optimizer.update(self.W, self.x.T.dot(grad))
        return grad.dot(W.T)
"""

CASES = [
    ("Square", "--input 4,3", "torch.exp(x) * (1 + x)", "torch.exp(x) * (2 + x)", "grad_input: 12 of 12"),
    ("Linear", "--args '3, 2' --input 4,3", "torch.mm(self.x.t(), g)", "-torch.mm(self.x.t(), g)", "grad_w: 6 of 6"),
    ("Neurons", "--args 3 --input 3", "other.grad += self.data", "other.grad -= self.data", "grad_input[0]: "),
    ("Product", "--args '3, 2' --input 5,3", "data.T @ grad.data", "data.T @ -grad.data", "layer.grad_weight: 6 of 6"),
    ("centred", "--input 5,3", "yield dy - dy", "yield dy + dy", "grad_input: 15 of 15"),
    ("Dense", "--args '2, (3,)' --input 5,3", "self.x.T.dot(grad)", "-self.x.T.dot(grad)", "grad_W: 6 of 6"),
]


@pytest.fixture(autouse=True)
def default_dtype():
    """Adapters for layers on tensors set PyTorch's default dtype, which belongs to the process."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(("name", "options", "right", "wrong", "said"), CASES, ids=[one[0] for one in CASES])
def test_an_adapter_runs_as_it_is_printed(check_file, tmp_path, capsys, name, options, right, wrong, said):
    assert right in FORMS
    for source, expected in ((FORMS, "All agree."), (FORMS.replace(right, wrong), said)):
        folder = tmp_path / expected[:3]  # a folder for each: a module of the same name would be kept
        folder.mkdir()
        (folder / "my.py").write_text(source)
        assert main(["check", f"{folder / 'my.py'}:{name}", *shlex.split(options)]) == 2
        out, err = capsys.readouterr()
        assert len(err.splitlines()) == 1
        adapter = out.partition("_adapter.py:\n\n")[2]
        (folder / "my_adapter.py").write_text(adapter)
        *_, command = adapter.strip().splitlines()
        command = command.removeprefix("# backprop check ")
        status = main(["check", *shlex.split(command.replace("my_adapter", str(folder / "my_adapter")))])
        out, err = capsys.readouterr()
        assert (status, err) == (int(expected is said), ""), out
        assert expected in out


OPTIMIZER = """
import numpy as np


class Descent:
    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self, *, by):
        for param, grad in zip(self.params, by):
            param -= self.lr * grad


class Nothing:
    def go(self):
        pass


def descend(w):
    return w
"""


@pytest.mark.parametrize(("step", "expected"), [("-=", 0), ("+=", 1)])
def test_an_optimizers_adapter_runs_once_it_is_filled_in(check_file, step, expected):
    source, against = OPTIMIZER.replace("-=", step), ("--against", "torch.optim.SGD", "--args", "lr=1e-3")
    status, out, _ = check_file(source, "Descent", *against)
    assert status == 2
    said, _, adapter = out.partition(":\n\n")
    assert said == "An adapter to fill in, as my_adapter.py"
    command = '# backprop check my_adapter.py:Adapter --against torch.optim.SGD --args "lr=1e-3"'
    assert adapter.strip().splitlines()[-1] == command
    filled = adapter.replace("step(...)", "step(by=[p.grad for p in self.params])").replace("p.data = ...", "pass")
    status, out, err = check_file(source + filled.replace("from my import Descent", ""), "Adapter", *against)
    assert (status, err) == (expected, ""), out


@pytest.mark.parametrize("name", ["Nothing", "descend"])
def test_an_optimizers_adapter_is_python(check_file, name):
    status, out, err = check_file(OPTIMIZER, name, "--against", "torch.optim.SGD")
    assert status == 2
    assert len(err.splitlines()) == 1
    adapter = out.partition(":\n\n")[2]
    assert f"from my import {name}" in adapter
    compile(adapter, "my_adapter.py", "exec")


def test_a_dictionary_is_no_layer(check_file):
    status, out, err = check_file("THINGS = {}\n", "THINGS", "--input", "4,3")
    assert (status, out) == (2, "")
    assert "expected a class, a function or an object of yours, got a dict" in err
