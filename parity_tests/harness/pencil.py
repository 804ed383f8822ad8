"""Layers with numbers small enough to be followed with a pencil, and their traces."""

import inspect
from collections.abc import Sequence

import numpy as np

import scratch
from parity_tests.catalogue import CATALOGUE, Entry
from parity_tests.harness.calls import recorded_calls
from parity_tests.harness.trace import Trace, trace
from scratch import nn, policy_gradient
from scratch.nn import Module

KINDS = ("classes", "values", "binary")

# What a constructor takes, and the input's shape; all others take nothing, and an input of shape (2, 3).
ARGUMENTS: dict[str, tuple[tuple, dict, tuple[int, ...]]] = {
    "Linear": ((3, 2), {}, (2, 3)),
    "Conv2d": ((1, 2), {"kernel_size": 2}, (1, 1, 3, 3)),
    "MaxPool2d": ((2,), {}, (1, 1, 4, 4)),
    "AvgPool2d": ((2,), {}, (1, 1, 4, 4)),
    "AdaptiveAvgPool2d": ((2,), {}, (1, 1, 3, 3)),
    "BatchNorm1d": ((2,), {}, (4, 2)),
    "BatchNorm2d": ((2,), {}, (2, 2, 1, 2)),
    "LayerNorm": ((3,), {}, (2, 3)),
    "GroupNorm": ((2, 4), {}, (1, 4, 2)),
    "Softmax": ((1,), {}, (2, 3)),
    "LogSoftmax": ((1,), {}, (2, 3)),
}
DRAWS = 30


def numbers(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return whole numbers, all different, none of them 0, more of them positive than negative."""
    size = int(np.prod(shape))
    drawn = rng.permutation(size) - 2 * size // 5
    return np.where(drawn < 0, drawn, drawn + 1).astype(np.float64).reshape(shape)


def entry_of(name: str) -> Entry | None:
    """Return the catalogue's entry of a layer or loss; None if it has none."""
    return next((one for one in CATALOGUE if one.name == name and one.kind in ("layer", "loss")), None)


def class_of(name: str) -> type[Module] | None:
    """Return a layer or loss by its name in `scratch.nn` or `scratch.policy_gradient`; None if there is none."""
    found = getattr(nn, name, None) or getattr(policy_gradient, name, None)
    return found if isinstance(found, type) and issubclass(found, Module) and entry_of(name) else None


def names() -> list[str]:
    """Return the names of all layers and losses that `class_of` finds."""
    return [one.name for one in CATALOGUE if class_of(one.name)]


def make(name: str, args: tuple | None, kwargs: dict, seed: int) -> Module:
    """Return a float64 layer whose parameters and buffers are small whole numbers; ``args`` of None are our own."""
    cls = class_of(name)
    if args is None:
        args, kwargs, _ = ARGUMENTS.get(name, ((), {}, ()))
    own = {"dtype": np.float64} if "dtype" in inspect.signature(cls).parameters else {}
    layer, rng = cls(*args, **{**own, **kwargs}), np.random.default_rng([seed, 1])
    learned = {name for name, _ in layer.named_parameters()}
    for key, values in layer.state_dict().items():
        if values.dtype.kind == "f":
            drawn = numbers(values.shape, rng)
            values[...] = drawn if key in learned else np.abs(drawn)
    return layer


def inputs(name: str, shapes: Sequence[tuple[int, ...]], target: str | None, seed: int) -> tuple[np.ndarray, ...]:
    """Return what a layer or loss is called with: the first of one of `KINDS`, as the catalogue has it.

    ``shapes`` are those of the inputs, as many as were given; ``target`` is the kind of the second, if it was given.
    """
    draws = [entry_of(name).case("float64", seed).inputs for seed in range(DRAWS)]
    rng, found = np.random.default_rng([seed, 2]), []
    first = shapes[0] if shapes else ARGUMENTS.get(name, ((), {}, (2, 3)))[2]
    for place in range(len(draws[0])):
        drawn = [one[place] for one in draws]
        kind = target if place == 1 and target else _kind(drawn)
        same = all(one[place].shape == one[0].shape for one in draws)
        shape = shapes[place] if place < len(shapes) else first
        if 0 < place >= len(shapes) and (kind == "classes" or not same):
            shape = first[:1] + first[2:] if len(first) > 1 else ()
        if kind == "classes":
            found.append(rng.integers(0, first[1] if len(first) > 1 else first[0], shape))
        elif kind == "values":
            found.append(numbers(shape, rng))
        elif place:
            found.append(rng.integers(0, 2, shape).astype(np.float64))
        else:
            found.append((rng.permutation(int(np.prod(shape))) + 1.0).reshape(shape) / (np.prod(shape) + 1))
    return tuple(found)


def _kind(drawn: list[np.ndarray]) -> str:
    if any(one.dtype.kind in "iu" for one in drawn):
        return "classes"
    return "binary" if all(((one >= 0) & (one <= 1)).all() for one in drawn) else "values"


def traces(layer: Module, arrays: tuple[np.ndarray, ...], seed: int) -> list[Trace]:
    """Call a layer forward and backward, and trace each pair of plain functions that it calls."""
    scratch.manual_seed(seed)
    with recorded_calls() as calls, np.errstate(all="ignore"):
        y = layer(*arrays)
        y = y[0] if isinstance(y, tuple) else y
        # A loss's gradient of 1 would hide a factor that was forgotten.
        layer.backward(numbers(y.shape, np.random.default_rng([seed, 3])) if np.ndim(y) else 2.0)
    return [trace(call) for call in calls]
