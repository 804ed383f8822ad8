"""A short adapter for code whose form is not understood: printed with its names filled in, to paste and run."""

import inspect
from collections.abc import Callable
from pathlib import Path

from parity_tests.diagnosis.reading.names import BACKWARD_PARTS


def of_object(thing: object, file: str) -> str:
    """Return an adapter for an object without a recognizable forward or backward."""
    title, stem = type(thing).__name__, Path(file or "my.py").stem
    methods = [(name, value) for cls in type(thing).__mro__ for name, value in vars(cls).items()]
    # In the order in which they are written: forward comes first.
    own = dict.fromkeys(name for name, value in methods if not name.startswith("_") and inspect.isfunction(value))
    listed = ", ".join(own) or "none"
    backward = next((name for name in own if any(part in name.lower() for part in BACKWARD_PARTS)), "")
    others = [name for name in own if not any(part in name.lower() for part in BACKWARD_PARTS)]
    taking = [name for name in others if len(inspect.signature(getattr(type(thing), name)).parameters) > 1]
    forward = next(iter([*taking, *others]), "...")
    grads = f"layer.{backward}(grad_output)" if backward else "..."
    return f"""\
import numpy as np
from {stem} import {title}

layer = {title}(...)  # its methods: {listed}


def forward(x):
    return layer.{forward}(x)  # the array that comes out


def backward(grad_output, x):
    forward(x)
    return {grads}  # the gradient of x: grad_output times the derivative


# backprop check {stem}_adapter.py:forward,backward --input 4,3"""


def of_scalars(cls: type, file: str) -> str:
    """Return an adapter for a class of scalars that remember their operations, as micrograd's Value."""
    name, stem = cls.__name__, Path(file or "my.py").stem
    unary = [
        method
        for method, value in inspect.getmembers(cls, inspect.isfunction)
        if not method.startswith("_") and len(inspect.signature(value).parameters) == 1 and method != "backward"
    ]
    operation = unary[0] if unary else "__neg__"
    return f'''\
import numpy as np
from {stem} import {name}

OPERATION = "{operation}"  # also: {", ".join(unary[1:]) or "none"}


def forward(x):
    return np.vectorize(lambda v: getattr({name}(float(v)), OPERATION)().data)(x)


def backward(grad_output, x):
    grads = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        leaf = {name}(float(x[index]))
        getattr(leaf, OPERATION)().backward()
        grads[index] = leaf.grad
    return grad_output * grads


# backprop check {stem}_adapter.py:forward,backward --input 4,3'''


def of_functions(forward: Callable, backward: Callable | None, file: str, unknown: list[str]) -> str:
    """Return an adapter for two functions of which some arguments are unknown."""
    stem = Path(file or "my.py").stem
    names = ", ".join(p for p in inspect.signature(forward).parameters)
    backs = "" if backward is None else ", ".join(inspect.signature(backward).parameters)
    back = getattr(backward, "__name__", "backward")
    front = getattr(forward, "__name__", "forward")
    missing = "\n".join(f"        self.{name} = ...  # what {name} is" for name in unknown)
    return f"""\
import numpy as np
import {stem}


class Adapter:
    def __init__(self):
{missing or "        pass"}

    def forward(self, x):
        result = {stem}.{front}({names})  # with self.{unknown[0] if unknown else "..."} where it belongs
        return ...  # the array, or the loss, whose gradients backward returns

    def backward(self, grad_output=1.0):
        self.grads = {stem}.{back}({backs})
        return None  # or the gradient of x


# backprop check {stem}_adapter.py:Adapter --input 3,5"""


def of_optimizer(thing: Callable, step: str, has_params: bool, against: str, stem: str) -> str:
    """Return an adapter for an optimizer: a class whose method ``step`` takes the step, or a function.

    ``has_params`` says whether the class takes the parameters first; ``stem`` is the file's name without its ending.
    """
    name = thing.__name__
    call = f"{name}({', '.join(inspect.signature(thing).parameters)})"
    made, first, moved = "options", "", f"{name}(...)  # {call}, of p.data, p.grad and self.optimizer"
    if isinstance(thing, type):
        made = f"{name}({'[p.data for p in params], ' * has_params}**options)  # {call}"
        moved = "...  # the parameter after the step"
    if isinstance(thing, type) and step:
        own = ", ".join(list(inspect.signature(getattr(thing, step)).parameters)[1:])
        first = f"        self.optimizer.{step}(...)  # {step}({own}): the gradients are p.grad\n"
    return f'''\
from {stem} import {name}


class Adapter:
    def __init__(self, params, **options):  # objects with .data and .grad; options named as PyTorch names them
        self.params = params
        self.optimizer = {made}

    def step(self):
{first}        for p in self.params:
            p.data = {moved}


# backprop check {stem}_adapter.py:Adapter --against {against} --args "lr=1e-3"'''
