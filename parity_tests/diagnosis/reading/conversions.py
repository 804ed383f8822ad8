"""Adapters that convert: for layers on PyTorch's tensors, on objects of their own, on generators, and unready ones."""

import inspect
import types
from pathlib import Path

import numpy as np

from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError
from parity_tests.harness.lazy_torch import torch

INITIALIZERS = ("initialize", "init", "build", "setup", "init_weights", "init_params", "initialize_parameters")


def refusal(
    found: Found, args: str, inputs: tuple[np.ndarray, ...], file: str, error: LearnerRaisedError
) -> NotUnderstoodError | None:
    """Return what to say of code that cannot be run on arrays, with an adapter; None if its form tells nothing.

    ``args`` are those of the constructor, as they were given, and ``error`` is what became of the call.
    """
    said = str(error).lower()
    stem, function = Path(file).stem, found.forward
    function = getattr(function, "__func__", function)
    cls = getattr(found.module, found.title, None)
    if inspect.isgeneratorfunction(function):
        return NotUnderstoodError(
            f"{found.forward_name} is a generator: it is checked through two functions",
            GENERATOR.format(stem=stem, name=found.forward_name, shape=_shape(inputs)),
        )
    if isinstance(cls, type) and issubclass(cls, torch.autograd.Function):
        names = [p.name for p in found.parameters(found.forward)]
        return NotUnderstoodError(
            f"{found.title} works on PyTorch's tensors: it is checked through two functions on arrays",
            FUNCTION.format(stem=stem, name=found.title, names=", ".join(names), shape=_shape(inputs)),
        )
    if found.owner is None:
        return None
    if (kind := _number_of_its_own(error.returned)) is not None:
        return _of_numbers(found.owner, kind, args, stem, inputs)
    title = type(found.owner).__name__
    made = {"stem": stem, "name": title, "args": args, "shape": _shape(inputs), "forward": found.forward_name}
    if _uses_torch(found) and ("tensor" in said or "numpy" in said):
        adapter = TENSORS.format(**made, backward=found.backward_name)
        return NotUnderstoodError(f"{title} works on PyTorch's tensors: it is checked through an adapter", adapter)
    if (kind := _own_arrays(found.owner)) and ("numpy" in said or kind.lower() in said):
        adapter = OBJECTS.format(**made, kind=kind)
        return NotUnderstoodError(f"{title} works on {kind} objects: it is checked through an adapter", adapter)
    method = next((name for name in INITIALIZERS if inspect.ismethod(getattr(found.owner, name, None))), "")
    if method and "nonetype" in said and any(value is None for value in vars(found.owner).values()):
        wanted = [p.name for p in inspect.signature(getattr(found.owner, method)).parameters.values()]
        given = ", ".join("SGD()" if "optim" in name else "..." for name in wanted)
        return NotUnderstoodError(
            f"{title}.{method}({', '.join(wanted)}) makes its arrays and has to be called first: name an object on "
            "which it was called",
            UNREADY.format(**made, method=method, given=given, optimizer=OPTIMIZER * ("SGD()" in given)),
        )
    return None


def _of_numbers(owner: object, kind: type, args: str, stem: str, inputs: tuple[np.ndarray, ...]) -> NotUnderstoodError:
    """Return what to say of a layer that returns numbers of its own kind, as micrograd's Value, with an adapter."""
    count = len(owner.parameters()) if callable(getattr(owner, "parameters", None)) else 0
    adapter = NUMBERS.format(
        stem=stem,
        name=type(owner).__name__,
        args=args,
        kind=kind.__name__,
        shape=_shape(inputs),
        count=count or 4,
        parameters="layer.parameters()" if count else "...",
    )
    said = f"{type(owner).__name__} works on {kind.__name__} objects, one for each number: it is checked through two "
    return NotUnderstoodError(f"{said}functions on arrays", adapter)


def _number_of_its_own(returned: object) -> type | None:
    """Return the class of a result, or of a list's elements, that holds a number and goes backward by itself."""
    while isinstance(returned, list | tuple) and returned:
        returned = returned[0]
    holds = isinstance(getattr(returned, "data", None), float | int | np.floating)
    return type(returned) if holds and callable(getattr(returned, "backward", None)) else None


def _uses_torch(found: Found) -> bool:
    held = [*vars(found.owner).values()] + [v for one in vars(found.owner).values() for v in _inside(one)]
    if any(isinstance(value, torch.Tensor) for value in held):
        return True
    names = getattr(getattr(found.forward, "__func__", found.forward), "__code__", types.SimpleNamespace(co_names=()))
    modules = [vars(found.module).get(name) for name in names.co_names] if found.module is not None else []
    return any(getattr(module, "__name__", "") in ("torch", "torch.nn.functional") for module in modules)


def _inside(value: object) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _own_arrays(owner: object) -> str:
    """Return the name of the class whose objects, with ``data`` and ``backward``, the layer holds."""
    for value in [*vars(owner).values()] + [v for one in vars(owner).values() for v in _inside(one)]:
        if isinstance(getattr(value, "data", None), np.ndarray) and callable(getattr(value, "backward", None)):
            return type(value).__name__
    return ""


def _shape(inputs: tuple[np.ndarray, ...]) -> str:
    return " ".join(f"--input {','.join(map(str, x.shape))}" for x in inputs)


GENERATOR = """\
from {stem} import {name}


def forward(x):
    return next({name}(x))


def backward(grad_output, x):
    running = {name}(x)
    next(running)
    return running.send(grad_output)


# backprop check {stem}_adapter.py:forward,backward {shape}"""

FUNCTION = """\
import torch
from {stem} import {name}


def forward({names}):
    return {name}.apply(*map(torch.from_numpy, ({names},))).numpy()


def backward(grad_output, {names}):
    tensors = [torch.from_numpy(values).requires_grad_() for values in ({names},)]
    {name}.apply(*tensors).backward(torch.from_numpy(grad_output))
    grads = [tensor.grad.numpy() for tensor in tensors]
    return grads[0] if len(grads) == 1 else tuple(grads)


# backprop check {stem}_adapter.py:forward,backward {shape}"""

TENSORS = """\
import torch
from {stem} import *

torch.set_default_dtype(torch.float64)


class Adapter:
    def __init__(self):
        self.layer = {name}({args})
        self.tensors = [name for name, value in vars(self.layer).items() if isinstance(value, torch.Tensor)]
        for name in self.tensors:
            setattr(self, name, getattr(self.layer, name).detach().double().numpy().copy())

    def forward(self, x):
        for name in self.tensors:
            setattr(self.layer, name, torch.from_numpy(getattr(self, name)))
        return self.layer.{forward}(torch.from_numpy(x)).numpy()

    def backward(self, grad_output):
        dx = self.layer.{backward}(torch.from_numpy(grad_output))
        for name, value in vars(self.layer).items():
            if isinstance(value, torch.Tensor):
                setattr(self, name, value.numpy())
        return dx.numpy()


# backprop check {stem}_adapter.py:Adapter {shape}"""

OBJECTS = """\
from {stem} import *


class Adapter:
    def __init__(self):
        self.layer = {name}({args})

    def forward(self, x):
        self.x = {kind}(x)
        self.y = self.layer.{forward}(self.x)
        return self.y.data

    def backward(self, grad_output):
        self.y.backward({kind}(grad_output))  # or without {kind}(...), if it takes an array
        return getattr(self.x.grad, "data", self.x.grad)


# backprop check {stem}_adapter.py:Adapter {shape}"""

NUMBERS = """\
import numpy as np
from {stem} import *


def run(x, w):
    layer = {name}({args})
    for parameter, value in zip({parameters}, w):
        parameter.data = float(value)
    inputs = [{kind}(float(value)) for value in x]
    made = layer(inputs)
    return layer, inputs, made if isinstance(made, list) else [made]


def forward(x, w):
    *_, outputs = run(x, w)
    return np.array([value.data for value in outputs])


def backward(grad_output, x, w):
    layer, inputs, outputs = run(x, w)
    total = outputs[0] * float(grad_output[0])
    for value, grad in zip(outputs[1:], grad_output[1:]):
        total = total + value * float(grad)
    total.backward()
    return np.array([float(v.grad) for v in inputs]), np.array([float(p.grad) for p in {parameters}])


# backprop check {stem}_adapter.py:forward,backward {shape} --input {count}"""

OPTIMIZER = """

class SGD:
    def __init__(self):
        self.learning_rate = 0.125

    def update(self, w, grad):
        return w - self.learning_rate * grad

"""

UNREADY = """\
from {stem} import *
{optimizer}
layer = {name}({args})
layer.{method}({given})

# backprop check {stem}_adapter.py:layer {shape}"""
