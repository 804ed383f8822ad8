"""Layers with numbers small enough to be followed with a pencil, and their traces."""

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np

import scratch
from parity_tests.catalogue import CATALOGUE, Entry, LayerCase
from parity_tests.harness.calls import recorded_calls
from parity_tests.harness.outputs import with_gradient
from parity_tests.harness.trace import Trace, trace, trace_rule
from scratch import nn, optim, policy_gradient
from scratch.nn import Module
from scratch.nn.transformer_layer import TransformerStack
from scratch.optim import optimizer as optimizer_module
from scratch.optim.optimizer import Optimizer

# A constructor's arguments, and the input's shape. Layers that are not listed take no arguments and an input of shape
# (2, 3); where they need arguments, the smallest case of the catalogue is taken.
ARGUMENTS: dict[str, tuple[tuple, dict, tuple[int, ...]]] = {
    "Linear": ((3, 2), {}, (2, 3)),
    "Embedding": ((4, 2), {}, (2, 3)),
    "Conv2d": ((1, 2), {"kernel_size": 2}, (1, 1, 3, 3)),
    "Conv1d": ((1, 2), {"kernel_size": 2}, (1, 1, 4)),
    "ConvTranspose2d": ((1, 1), {"kernel_size": 2, "stride": 1}, (1, 1, 2, 2)),
    "ConvTranspose1d": ((1, 2), {"kernel_size": 3, "stride": 2}, (1, 1, 2)),
    "ZeroPad1d": (((2, 1),), {}, (1, 1, 3)),
    "ZeroPad2d": (((1, 0, 0, -1),), {}, (1, 1, 2, 2)),
    "ConstantPad1d": (((2, 1), 7.0), {}, (1, 1, 3)),
    "ConstantPad2d": (((1, 0, 0, 1), 7.0), {}, (1, 1, 2, 2)),
    "ReflectionPad1d": (((2, 1),), {}, (1, 1, 3)),
    "ReflectionPad2d": (((1, 0, 0, 1),), {}, (1, 1, 2, 3)),
    "ReplicationPad1d": (((2, 1),), {}, (1, 1, 3)),
    "ReplicationPad2d": (((1, 0, 0, 1),), {}, (1, 1, 2, 3)),
    "CircularPad1d": (((2, 1),), {}, (1, 1, 3)),
    "CircularPad2d": (((1, 0, 0, 1),), {}, (1, 1, 2, 3)),
    "Upsample": ((), {"scale_factor": 2, "mode": "bilinear"}, (1, 1, 2, 2)),
    "PixelShuffle": ((2,), {}, (1, 4, 1, 2)),
    "PixelUnshuffle": ((2,), {}, (1, 1, 2, 4)),
    "MaxPool1d": ((2,), {}, (1, 1, 5)),
    "AvgPool1d": ((2,), {}, (1, 1, 5)),
    "MaxPool2d": ((2,), {}, (1, 1, 4, 4)),
    "AvgPool2d": ((2,), {}, (1, 1, 4, 4)),
    "AdaptiveAvgPool1d": ((2,), {}, (1, 1, 3)),
    "AdaptiveAvgPool2d": ((2,), {}, (1, 1, 3, 3)),
    "BatchNorm1d": ((2,), {}, (4, 2)),
    "BatchNorm2d": ((2,), {}, (2, 2, 1, 2)),
    "LayerNorm": ((3,), {}, (2, 3)),
    "GroupNorm": ((2, 4), {}, (1, 4, 2)),
    "RMSNorm": ((3,), {}, (2, 3)),
    "InstanceNorm2d": ((2,), {"affine": True}, (1, 2, 1, 3)),
    "Dropout2d": ((), {}, (2, 3, 1, 2)),
    "GLU": ((), {}, (2, 4)),
    "Unflatten": ((1, (2, 3)), {}, (1, 6)),
    "MultiheadAttention": ((2, 1), {}, (2, 1, 2)),
    "TransformerEncoderLayer": ((3, 1, 2, 0.0), {}, (2, 1, 3)),
    "TransformerDecoderLayer": ((3, 1, 2, 0.0), {}, (2, 1, 3)),
    "Transformer": ((3, 1, 1, 1, 2, 0.0), {}, (2, 1, 3)),
    "Softmax": ((1,), {}, (2, 3)),
    "LogSoftmax": ((1,), {}, (2, 3)),
    "Softmin": ((1,), {}, (2, 3)),
}
NOTHING: tuple[tuple, dict, tuple[int, ...]] = ((), {}, (2, 3))
DRAWS = 30

# Options of optimizers (all others take lr=0.5), and how many steps are traced.
OPTIONS = {"SGD": {"lr": 0.5, "momentum": 0.5}}
STEPS = 2


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
    if not isinstance(found, type) or not issubclass(found, Module) or found.forward is Module.forward:
        return None  # a container has no forward of its own
    if issubclass(found, TransformerStack):
        return None  # no literals say which layer it copies
    return found if entry_of(name) else None


def names() -> list[str]:
    """Return the names of everything that can be traced."""
    return [one.name for one in CATALOGUE if class_of(one.name) or optimizer_of(one.name)]


def make(name: str, args: tuple | None, kwargs: dict, seed: int) -> Module:
    """Return a float64 layer whose parameters and buffers are small whole numbers; ``args`` of None means our own."""
    cls = class_of(name)
    if args is None and _is_drawn(name):
        layer = copy.deepcopy(_smallest(name).layer)
    else:
        args, kwargs, _ = ARGUMENTS.get(name, NOTHING) if args is None else (args, kwargs, ())
        own = {"dtype": np.float64} if "dtype" in inspect.signature(cls).parameters else {}
        layer = cls(*args, **{**own, **kwargs})
    rng = np.random.default_rng([seed, 1])
    learned = {name for name, _ in layer.named_parameters()}
    for key, values in layer.state_dict().items():
        if values.dtype.kind == "f":
            drawn = numbers(values.shape, rng)
            values[...] = drawn if key in learned else np.abs(drawn)
    return layer


def inputs(layer: Module, shapes: Sequence[tuple[int, ...]], target: str | None, seed: int) -> tuple[np.ndarray, ...]:
    """Return what a layer or loss is called with: as many arrays as the catalogue has, of the same kinds.

    ``shapes`` are those of the first inputs, as many as were given. ``target`` is the kind of the second input, if
    given: "classes", "values" or "binary".
    """
    name = type(layer).__name__
    draws = [case.inputs for case in _cases(name)]
    rng, found = np.random.default_rng([seed, 2]), []
    own = _smallest(name).inputs[0].shape if _is_drawn(name) else ARGUMENTS.get(name, NOTHING)[2]
    first = shapes[0] if shapes else own
    for place in range(min(map(len, draws))):  # optional inputs are left out
        drawn = [one[place] for one in draws]
        kind = target if place == 1 and target else _kind(drawn)
        same = all(one[place].ndim == one[0].ndim for one in draws)
        shape = shapes[place] if place < len(shapes) else first
        if 0 < place >= len(shapes) and (kind == "classes" or not same):
            shape = first[:1] + first[2:] if len(first) > 1 else ()
        if kind == "classes":
            # A loss has as many classes as the input has columns; a layer that is indexed, as many as its weight has
            # rows.
            count = first[min(1, len(first) - 1)] if place else len(next(iter(layer.parameters())).data)
            found.append(rng.integers(0, count, shape))
        elif kind == "signs":
            found.append(rng.choice([-1.0, 1.0], shape))
        elif kind == "positive":
            found.append(np.abs(numbers(shape, rng)))
        elif kind == "values":
            found.append(numbers(shape, rng))
        elif place:
            found.append(rng.integers(0, 2, shape).astype(np.float64))
        else:
            found.append((rng.permutation(int(np.prod(shape))) + 1.0).reshape(shape) / (np.prod(shape) + 1))
    return tuple(found)


@functools.cache
def _cases(name: str) -> list[LayerCase]:
    return [entry_of(name).case("float64", seed) for seed in range(DRAWS)]


def _smallest(name: str) -> LayerCase:
    return min(_cases(name), key=lambda case: abs(case.inputs[0].size - 6))


def _is_drawn(name: str) -> bool:
    """Return whether a layer needs arguments, and `ARGUMENTS` has none for it."""
    parameters = inspect.signature(class_of(name)).parameters.values()
    needed = [one for one in parameters if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    return bool(needed) and name not in ARGUMENTS


def _kind(drawn: list[np.ndarray]) -> str:
    if any(one.dtype.kind in "iu" for one in drawn):
        return "classes"
    kinds = {
        "signs": lambda one: np.abs(one) == 1,
        "binary": lambda one: (one >= 0) & (one <= 1),
        "positive": lambda one: one > 0,
    }
    return next((kind for kind, is_kind in kinds.items() if all(is_kind(one).all() for one in drawn)), "values")


def optimizer_of(name: str) -> type[Optimizer] | None:
    """Return an optimizer by its name in `scratch.optim`; None if there is none."""
    found = getattr(optim, name, None)
    return found if isinstance(found, type) and issubclass(found, Optimizer) and found is not Optimizer else None


def make_optimizer(name: str, args: tuple | None, kwargs: dict, shape: tuple[int, ...], seed: int) -> Optimizer:
    """Return an optimizer of one float64 parameter; ``args`` of None means our own."""
    if args is None:
        args, kwargs = (), OPTIONS.get(name, {"lr": 0.5})
    parameter = nn.Parameter(numbers(shape, np.random.default_rng([seed, 1])))
    return optimizer_of(name)([parameter], *args, **kwargs)


def traces_of_steps(optimizer: Optimizer, seed: int) -> list[Trace]:
    """Take some steps with an optimizer's plain rule, and trace it in each."""
    (parameter,) = optimizer.param_groups[0]["params"]
    found, rng, update = [], np.random.default_rng([seed, 3]), optimizer_module.update

    def listening(rule: Callable, *rest: Any) -> None:
        @functools.wraps(rule)
        def call(*arguments: Any, **options: Any) -> tuple:
            found.append(trace_rule(rule, *arguments, **options))
            return rule(*arguments, **options)

        update(call, *rest)

    with scratch.plain(), mock.patch.object(optimizer_module, "update", listening):
        for _ in range(STEPS):
            parameter.grad = numbers(parameter.shape, rng)
            optimizer.step()
    return found


def traces(layer: Module, arrays: tuple[np.ndarray, ...], seed: int) -> list[Trace]:
    """Call a layer forward and backward, and trace each pair of plain functions that it calls."""
    scratch.manual_seed(seed)
    with recorded_calls() as calls, np.errstate(all="ignore"):
        y = with_gradient(layer(*arrays))[0]  # the other outputs' gradients are zeros
        # A loss's gradient of 1 would hide a factor that was forgotten.
        layer.backward(numbers(y.shape, np.random.default_rng([seed, 3])) if np.ndim(y) else 2.0)
    return [trace(call) for call in calls]
