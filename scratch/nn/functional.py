"""Functional forms: the pairs of functions themselves, for a model that does not want a module for each step.

    y, saved = functional.relu(x)
    grad_x = functional.relu_backward(grad_y, saved)

Every pair of plain functions in `scratch.nn` is here under its own names: `linear`, `conv2d`, `batch_norm`, ... They
take and return what the plain functions do, in the shapes of the derivations. In addition, the kernels run unless
``scratch.plain()`` says otherwise, a backward runs in the mode of its forward, and infinities and NaN cause no
warnings, as in the layers. They check nothing, store nothing, and copy nothing: ``saved`` may hold ``x`` itself, so do
not write to an input or an output before its backward.

PyTorch's counterpart: ``torch.nn.functional``, where autograd keeps what is ``saved`` here.

Examples
--------
>>> import numpy as np
>>> from scratch.nn import functional
>>> y, saved = functional.relu(np.array([-1.0, 2.0]))
>>> functional.relu_backward(np.array([5.0, 7.0]), saved)
array([0., 7.])
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

from scratch import dispatch


class Saved(NamedTuple):
    """What a forward returned for its backward, and the plan that it ran with."""

    plan: dispatch.Plan
    values: tuple


def _forms_of(functions: dispatch.Pair) -> tuple[Callable, Callable]:
    plain_forward, plain_backward = functions

    @functools.wraps(plain_forward)
    def forward(*arguments: Any, **options: Any) -> Any:
        plan = dispatch.plan(functions)
        y, saved, *others = plan.quiet_forward(*arguments, **options)
        return y, Saved(plan, saved), *others

    @functools.wraps(plain_backward)
    def backward(*arguments: Any) -> Any:
        *before, saved = arguments
        return saved.plan.quiet_backward(*before, saved.values)

    return forward, backward


def _find() -> dict[str, Callable]:
    found: dict[str, Callable] = {}
    package = importlib.import_module("scratch.nn")
    for topic in pkgutil.iter_modules(package.__path__):
        if topic.name == "functional":
            continue
        module = importlib.import_module(f"scratch.nn.{topic.name}")
        for name, forward in vars(module).items():
            backward = vars(module).get(f"{name}_backward")
            if backward is not None and getattr(forward, "__module__", "") == module.__name__:
                found[name], found[f"{name}_backward"] = _forms_of((forward, backward))
    return found


_forms = _find()
__all__ = sorted(_forms)


def __getattr__(name: str) -> Callable:
    if name not in _forms:
        raise AttributeError(f"scratch.nn.functional has no {name!r}; it has {', '.join(__all__)}")
    return _forms[name]
