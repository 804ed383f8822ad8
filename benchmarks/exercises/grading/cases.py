"""What an exercise is tried on: random cases of its layer, and the calls to its functions in them."""

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch

import scratch
from benchmarks.exercises.cutting import derivation
from benchmarks.exercises.exercise import Derived
from benchmarks.exercises.skip import Skip
from parity_tests.catalogue import CATALOGUE, Draw, LayerCase, named
from parity_tests.harness import arrays
from parity_tests.harness.calls import Call, recorded_calls
from parity_tests.harness.trace import operands
from scratch import optim
from scratch.optim.optimizer import options_of

MOST_SEEDS = 200
LARGE = 3000  # numbers; a learner waits for the answer


class TorchSkip(torch.nn.Module):
    """`Skip` in PyTorch."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(features, features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + relu(x weight^T)."""
        return x + torch.relu(x @ self.weight.T)


def layer_case(exercise: Derived, dtype: str, seed: int) -> Any:
    """Return a random case of the exercise's layer."""
    if exercise.cases in {entry.name for entry in CATALOGUE}:
        return named(exercise.cases).case(dtype, seed)
    assert exercise.cases == "Skip"
    draw = Draw(dtype, [seed, *b"Skip"])
    features = draw.integer(2, 6)
    layer = arrays.random_state(Skip(features, dtype=np.dtype(dtype)), draw.seed)
    return LayerCase(layer, TorchSkip(features), (draw.array((draw.integer(1, 5), features)),))


def originals(exercise: Derived) -> tuple[Callable, ...]:
    """Return the function, and its backward if it has one, as they stand in `scratch`."""
    found = [getattr(exercise.source, name, None) for name in (exercise.function, f"{exercise.function}_backward")]
    return tuple(one for one in found if one is not None)


def is_rule(exercise: Derived) -> bool:
    """Return whether the exercise is about an optimizer's update rule."""
    return exercise.module.startswith("scratch.optim")


# Pairs of functions.


def slot(layer: object, pair: tuple[Callable, ...]) -> str | None:
    """Return the attribute under which a layer keeps a pair of functions; None if it does not have this pair."""
    return next((name for name in dir(type(layer)) if getattr(type(layer), name, None) == pair), None)


def put_in(layer: object, original: tuple[Callable, ...], pair: tuple[Callable, ...]) -> bool:
    """Make a layer run the learner's pair in place of an original one; return whether it has the original."""
    name = slot(layer, original)
    if name is not None:
        setattr(layer, name, pair)
    return name is not None


def layer_cases(exercise: Derived, dtype: str, count: int) -> Iterator[tuple[int, LayerCase]]:
    """Yield cases in which the exercise's own functions are called, each with its seed."""
    pair, found = originals(exercise), 0
    for seed in range(MOST_SEEDS):
        case = layer_case(exercise, dtype, seed)
        if found == count:
            return
        if not isinstance(case, LayerCase) or not slot(case.layer, pair):
            continue
        numbers = [*case.inputs, *[one.data for one in case.layer.parameters()]]
        if case.inputs[0].size and sum(one.size for one in numbers) <= LARGE and recorded(case, pair):
            found += 1
            yield seed, case


def recorded(case: LayerCase, pair: tuple[Callable, ...]) -> list[Call]:
    """Run a case forward and backward, and return the calls to a pair of functions in it."""
    layer = copy.deepcopy(case.layer)
    scratch.manual_seed(0)
    with recorded_calls() as calls, np.errstate(all="ignore"):
        y = layer(*case.inputs)
        y = y[0] if isinstance(y, tuple) else y
        grad_y = np.random.default_rng(len(case.inputs[0])).normal(size=np.shape(y)).astype(np.asarray(y).dtype)
        layer.backward(grad_y if np.ndim(y) else float(grad_y))
    return [one for one in calls if one.functions == pair]


@dataclass
class Trial:
    """One call to the exercise's functions: what they are given.

    Attributes
    ----------
    title : str
        The layer that calls them, with its options.
    arguments : tuple
        The forward function's, or the update rule's.
    options : dict
        The update rule's.
    grad_y : object
        The upstream gradient; None for an update rule.
    case : pair of int and LayerCase, or None
        The seed and the case that the call comes from.
    is_flat : bool
        Whether a gradient is 0 everywhere.
    """

    title: str
    arguments: tuple
    options: dict
    grad_y: Any = None
    case: tuple[int, LayerCase] | None = None
    is_flat: bool = False

    @property
    def size(self) -> int:
        """How many numbers go in."""
        return sum(one.size for one in self.arguments if isinstance(one, np.ndarray))

    def fresh(self) -> tuple:
        """Return copies of the arguments, which may be written to."""
        return tuple(one.copy() if isinstance(one, np.ndarray) else one for one in self.arguments)


def trials(exercise: Derived, count: int) -> list[Trial]:
    """Return calls in float64: a plain one first, then those that hide least, small ones first."""
    if is_rule(exercise):
        return _steps(exercise, count)
    found: list[Trial] = []
    plain: list[Trial] = []
    for number, (seed, case) in enumerate(layer_cases(exercise, "float64", 10 * count), 1):
        for one in recorded(case, originals(exercise)):
            is_flat = any(isinstance(grad, np.ndarray) and np.abs(grad).max(initial=0) < 1e-9 for grad in one.grads)
            trial = Trial(repr(case.layer), one.arguments, {}, one.grad_y, (seed, case), is_flat)
            found.append(trial)
            plain += [trial] if not (is_flat or _hides(exercise, trial) or _options_that_are_on(trial)) else []
        if number >= 5 * count and plain:
            break
    found.sort(key=lambda one: (one.is_flat or _hides(exercise, one), _equal_sides(one), one.size))
    # A plain one first, say without label smoothing: a learner begins there, and sees when it is right.
    first = [one for one in found if any(one is other for other in plain)][:1]
    return [*first, *[one for one in found if one is not next(iter(first), None)]][:count]


def _options_that_are_on(trial: Trial) -> int:
    # Count only options that are off by default: a weight for each class, padding.
    assert trial.case is not None
    layer, on = trial.case[1].layer, 0
    for name, one in inspect.signature(type(layer)).parameters.items():
        given = getattr(layer, name, one.default)
        can_be_off = one.default is None or (one.default == 0 and one.default is not False)
        on += can_be_off and (isinstance(given, np.ndarray) or given != one.default)
    return on


def _equal_sides(trial: Trial) -> int:
    # Two axes of the same length hide a missing or a superfluous transpose.
    shapes = [one.shape for one in trial.arguments if isinstance(one, np.ndarray)]
    return sum(len(shape) - len(set(shape)) for shape in shapes)


def _hides(exercise: Derived, trial: Trial) -> bool:
    # An axis of length 1 hides what a sum over it does; an absent parameter hides its gradient.
    names = list(inspect.signature(originals(exercise)[0]).parameters)
    given = [trial.arguments[names.index(one)] for one in operands(derivation(exercise)) if one in names]
    if not all(isinstance(one, np.ndarray) for one in given):
        return True
    return any(side < 2 for one in given for side in one.shape) or trial.size < 6


# Update rules.


def _steps(exercise: Derived, count: int) -> list[Trial]:
    rule, found = originals(exercise)[0], []
    cls = getattr(optim, exercise.cases)
    names = options_of(rule)

    def remember(*arguments: Any, **options: Any) -> Any:
        copies = tuple(one.copy() if isinstance(one, np.ndarray) else one for one in arguments)
        said = ", ".join(f"{name}={value}" for name, value in options.items() if value)
        found.append(Trial(f"{exercise.cases} at t = {arguments[-1]}: {said}", copies, dict(options)))
        return rule(*arguments, **options)

    remember.__signature__ = inspect.signature(rule)  # type: ignore[attr-defined]
    for seed in range(count):
        case = named(exercise.cases).case("float64", seed)
        parameters = [scratch.nn.Parameter(case.values[0].copy())]
        with mock.patch.object(cls, "rule", remember):
            optimizer = cls(parameters, **case.options)
            for grads in [one for one in case.grads if one[0] is not None][:3]:
                parameters[0].grad = grads[0].copy()
                optimizer.step()
    assert not found or set(found[0].options) == set(names)
    return [one for one in found if one.size]
