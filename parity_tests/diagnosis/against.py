"""What a layer may be compared with: PyTorch's layers, losses, optimizers, initializers and functions; nothing else."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.names import listed
from parity_tests.diagnosis.reading.running import NotUnderstoodError, first_line
from parity_tests.harness.lazy_torch import torch

ELEMENTWISE = listed(
    "abs acos add asin atan ceil clamp clip cos cosh cumsum div exp exp2 expm1 floor log log10 log1p log2 logsumexp "
    "matmul max mean min mul neg pow prod reciprocal relu round rsqrt sigmoid sign sin sinh softmax log_softmax sqrt "
    "square std sub sum tan tanh var bmm mm dot outer transpose cat maximum minimum erf addmm celu selu prelu hypot"
)


def named(name: str) -> object:
    """Return the class or function called ``torch.nn.X``, ``torch.nn.functional.x``, ``torch.optim.X`` or the like."""
    *room, last = name.split(".")
    found = None
    if not last.startswith("_"):
        if room == ["torch", "nn"]:
            found = getattr(torch.nn, last, None)
            found = found if isinstance(found, type) and issubclass(found, torch.nn.Module) else None
        elif room == ["torch", "nn", "functional"]:
            found = getattr(torch.nn.functional, last, None)
            public = getattr(found, "__module__", None) or "torch"
            found = found if callable(found) and not isinstance(found, type) and public.startswith("torch") else None
        elif room == ["torch", "optim"]:
            found = getattr(torch.optim, last, None)
            found = found if isinstance(found, type) and issubclass(found, torch.optim.Optimizer) else None
        elif room == ["torch", "nn", "init"]:
            found = getattr(torch.nn.init, last, None) if last.endswith("_") or last == "calculate_gain" else None
        elif room == ["torch"] and last in ELEMENTWISE:
            found = getattr(torch, last)
    if found is None:
        raise NotUnderstoodError(
            "--against: expected a layer or function such as torch.nn.Conv2d, torch.nn.functional.relu, "
            f"torch.optim.Adam or torch.exp, got {name!r}"
        )
    return found


def built(name: str, args: tuple[list, dict]) -> Callable:
    """Return PyTorch's layer, constructed with ``args``, or its function with ``args`` after the tensors."""
    found = named(name)
    positional = [_tensor(value) for value in args[0]]
    words = {key: _tensor(value) for key, value in args[1].items()}
    if not isinstance(found, type):
        function = functools.partial(lambda *tensors: found(*tensors, *positional, **words))
        function.title = name
        return function
    try:
        return found(*positional, **words)
    except Exception as error:
        raise NotUnderstoodError(f"{name} refuses the arguments: {first_line(error)}") from error


def _tensor(value: object) -> object:
    # Class weights: PyTorch wants a tensor where a command line can only say a list.
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value


def outputs(theirs: Callable, inputs: tuple[np.ndarray, ...], seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return the outputs of a copy of PyTorch's layer, in float64."""
    tensors = [torch.from_numpy(np.array(values)) for values in inputs]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes that broadcast: the report says it in its own words
        layer = copy.deepcopy(theirs)
        layer = layer.double() if hasattr(layer, "double") else layer
        torch.default_generator.manual_seed(seed)  # torch.manual_seed records three tracebacks, which takes longer
        made = layer(*(tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors))
    return tuple(y.numpy() for y in (made if isinstance(made, tuple | list) else (made,)) if torch.is_tensor(y))


def is_module(theirs: Callable | None) -> bool:
    """Return whether it is one of PyTorch's layers: not one of its functions, and not None."""
    return theirs is not None and isinstance(theirs, torch.nn.Module)


def with_numbers(theirs: torch.nn.Module, state: dict[str, np.ndarray]) -> torch.nn.Module:
    """Return a copy of PyTorch's layer in float64, with those of the arrays that it has a place for."""
    layer = copy.deepcopy(theirs).double()
    own = layer.state_dict()
    layer.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in state.items() if n in own}, strict=False)
    return layer


def refusal(theirs: Callable, inputs: tuple[np.ndarray, ...]) -> str:
    """Return why PyTorch's layer does not accept the inputs, "" if it does."""
    try:
        outputs(theirs, inputs)
    except Exception as error:
        return first_line(error)
    return ""


def with_state(layer: torch.nn.Module) -> torch.nn.Module:
    """Return a recurrent layer that takes its state as further inputs, not as a tuple."""

    def forward(self: torch.nn.Module, x: torch.Tensor, *state: torch.Tensor) -> object:
        return super(cls, self).forward(x, state if len(state) > 1 else state[0])

    cls = type(type(layer).__name__, (type(layer),), {"forward": forward})
    layer.__class__ = cls
    return layer


def with_transposed(theirs: Callable, inputs: tuple[np.ndarray, ...]) -> tuple[Callable, list[int]]:
    """Return a function that takes some of its matrices transposed, and which ones; () if that does not help either."""
    matrices = [i for i, x in enumerate(inputs) if i and x.ndim == 2]
    for i in matrices:
        turned = functools.partial(_transposing, theirs, i)
        turned.title = getattr(theirs, "title", "")
        if not refusal(turned, inputs):
            return turned, [i]
    return theirs, []


def _transposing(theirs: Callable, index: int, *tensors: torch.Tensor) -> torch.Tensor:
    return theirs(*(t.T if i == index else t for i, t in enumerate(tensors)))
