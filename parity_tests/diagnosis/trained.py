"""A network that is trained: its loss, its step, and the loss's gradients by finite differences."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.constants import USUAL as ADVANTAGES
from parity_tests.diagnosis.reading import generators
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.moving import drawn
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import RATE
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.reading.world import World
from scratch.gradcheck import STEP

KINK = 1e-6
"""Slopes that differ by more of themselves have a kink between them."""
FINER = (STEP, STEP / 2**4, STEP / 2**8)


class Trained:
    """The network with its loss and its step, and the arrays that the loss depends on.

    Parameters
    ----------
    network : object
        Somebody's network.
    world : World
        Of the network and its file.
    batches : list of tuple
        Inputs and target of the first step, and of the second.
    stage : Stage
        Where its code runs.
    loss, step : callable
        Functions of a batch; the step may take the learning rate, too.
    constants : tuple of str
        Names of arrays that no step is meant to move.
    """

    def __init__(
        self,
        network: object,
        world: World,
        batches: list[tuple],
        stage: Stage,
        loss: Callable,
        step: Callable,
        constants: tuple[str, ...] = (),
    ) -> None:
        self.network, self.world, self.batches, self.stage = network, world, batches, stage
        self._loss, self._step = loss, step
        self.loss_name, self.step_name = loss.__name__, step.__name__
        base = self.loss({})
        self.world.restore()  # the step itself may return the loss
        values = {p: np.array(v) for p, v in self.world.places() if v.dtype.kind in "fc" and v.size}
        values = {p: v for p, v in values.items() if p.last not in constants}
        moving = {p for p, v in values.items() if self.loss({p: v + 1e-3 * (1 + np.abs(v))}) != base}
        moving |= self._moving_beside_others(values)
        self.parameters = {p: v for p, v in values.items() if p in moving}
        if any(not v.ndim for v in self.parameters.values()):
            (first,), _ = self.steps(1)  # a number that the step leaves alone is an option
            self.parameters = {p: v for p, v in self.parameters.items() if v.ndim or first[p] != v}

    def _moving_beside_others(self, values: dict[Place, np.ndarray]) -> set[Place]:
        """Return the arrays that change the loss if all have other numbers: beside weights of 0, few others do."""
        moved = _drawn_beside(values, 0)
        try:
            base = self.loss(moved)
            return {p for p, v in values.items() if np.isfinite(base) and self.loss({**moved, p: v}) != base}
        except LearnerRaisedError:
            return set()

    def loss(self, changes: dict[Place, np.ndarray], inputs: tuple | None = None) -> float:
        """Return the loss with some of the parameters changed, of the first batch or of other inputs."""
        self.world.restore()
        for place, values in changes.items():
            self.world.put(place, np.array(values))
        with self.stage(self.loss_name, reseed=True):
            return float(self._loss(*map(np.copy, inputs or self.batches[0])))

    def gradient(self, place: Place, at: dict[Place, np.ndarray], batch: int = 0) -> np.ndarray:
        """Return the loss's gradient of one array, by finite differences; dL/dRe + i dL/dIm of a complex one."""
        found = np.zeros_like(at[place])
        for index in np.ndindex(found.shape):
            found[index] = self.slope(place, index, at, batch)
        return found

    def slope(self, place: Place, index: tuple[int, ...], at: dict[Place, np.ndarray], batch: int = 0) -> complex:
        """Return one element of `gradient`."""
        values = np.array(at[place])
        start = values[index]

        def central(by: complex) -> float:
            ends = []
            for sign in (1, -1):
                values[index] = start + sign * by
                ends.append(self.loss({**at, place: values}, self.batches[batch]))
            return (ends[0] - ends[1]) / (2 * abs(by))

        found = 0.0
        for unit in (1, 1j) if values.dtype.kind == "c" else (1,):
            for step in FINER:  # where a kink lies within a step, the slopes over it and over half of it differ
                whole, half = central(step * unit), central(step / 2 * unit)
                if abs(whole - half) <= KINK * (1 + abs(half)):
                    break
            found += unit * (4 * half - whole) / 3
        return found

    def redraw(self, seed: int) -> None:
        """Start from other numbers, as long as the loss is finite there."""
        before = self.parameters
        self._start_at(_drawn_beside(before, seed))
        if not np.isfinite(self.loss({})):
            self._start_at(before)

    def _start_at(self, parameters: dict[Place, np.ndarray]) -> None:
        self.world.restore()
        for place, values in parameters.items():
            self.world.put(place, values)
        self.world.snapshot()
        self.parameters = {place: np.array(self.world.get(place)) for place in parameters}

    def is_at_kink(self) -> bool:
        """Return whether the loss's slopes to both sides of some number differ: a ReLU gets exactly 0."""
        return any(map(self._is_at_kink, self.parameters))

    def _is_at_kink(self, place: Place) -> bool:
        start, here = self.parameters[place], self.loss({})

        def slope(index: tuple[int, ...], step: float) -> float:  # to one side
            values = np.array(start)
            values[index] += step
            return (self.loss({place: values}) - here) / step

        for index in np.ndindex(start.shape):
            # Half a step leaves half of what the curvature adds.
            whole, half = (slope(index, step) - slope(index, -step) for step in (STEP, STEP / 2))
            if abs(2 * half - whole) > KINK * (1 + abs(slope(index, STEP))):
                return True
        return False

    def steps(self, count: int, slower: float = 1.0) -> tuple[list[dict[Place, np.ndarray]], float]:
        """Take steps from the start; return the parameters after each, and the learning rate."""
        self.world.restore()
        found = []
        passed, rate = _arguments(Found("", self._step, None), self.network, self.batches[0], slower)
        draws = generators.states(generators.generators(self.world.roots))
        for number in range(count):
            generators.put_back(draws)
            with self.stage(self.step_name, reseed=True):
                self._step(*map(np.copy, self.batches[number]), **passed)
            found.append({place: np.array(self.world.get(place)) for place in self.parameters})
        return found, rate

    def weighted_by(self) -> str:
        """Return the name under which the step holds an advantage, "" if it has none."""
        code = getattr(undecorated(getattr(self._step, "__func__", self._step)), "__code__", None)
        return next((name for name in code.co_varnames if ADVANTAGES.match(name)), "") if code is not None else ""

    def agreeing(self) -> list[Place]:
        """Return the parameters whose first step is along the gradient."""
        (first,), rate = self.steps(1)
        start = self.parameters
        return [p for p in start if close((start[p] - first[p]) / rate, self.gradient(p, start))]


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a step is along a gradient, as finite differences can tell."""
    return bool(np.allclose(one, other, rtol=1e-5, atol=1e-7 * max(1.0, np.abs(other).max(initial=0))))


def _drawn_beside(values: dict[Place, np.ndarray], seed: int) -> dict[Place, np.ndarray]:
    return {p: v + max(0.3, np.std(v)) * drawn(v, seed * 100 + i) for i, (p, v) in enumerate(values.items())}


def _arguments(found: Found, network: object, inputs: tuple, slower: float) -> tuple[dict, float]:
    for parameter in found.parameters(found.forward)[len(inputs) :]:
        if words.RATES.match(parameter.name):
            return {parameter.name: RATE * slower}, RATE * slower
    for holder in (network, *vars(network).values()):
        for name, value in getattr(holder, "__dict__", {}).items():
            if words.RATES.match(name) and isinstance(value, float | int):
                setattr(holder, name, value * slower)
                return {}, value * slower
    raise NotUnderstoodError(
        "the learning rate of the step is neither an argument nor an attribute (lr, learning_rate)"
    )
