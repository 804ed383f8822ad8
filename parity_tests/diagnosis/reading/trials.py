"""Try a layer out: run it with some of its arrays changed, and see what comes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.plans import Plan
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.harness.arrays import array

SLOPE_STEP = 2.0**-12

Changes = dict[Place, np.ndarray]
"""What lies at some places instead of what lies there at the start."""


def upstream(outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return random upstream gradients for outputs, the same ones each time."""
    return tuple(array(np.shape(y), "float64", seed=31 + i) for i, y in enumerate(outputs))


@dataclass
class Written:
    """What backward leaves behind.

    Attributes
    ----------
    arrays : dict of Place to numpy.ndarray
        Every array that is new or has changed, at all its places.
    leaves : dict of str to numpy.ndarray or None
        What it returns.
    identities : dict of Place to object
        Of each place of ``arrays``, what it shares with the other places of the same array, and with no other.
    """

    arrays: dict[Place, np.ndarray]
    leaves: dict[str, np.ndarray | None]
    identities: dict[Place, object]

    def has_gradient_of(self, aliases: tuple[Place, ...]) -> bool:
        """Return whether one of the arrays has the name of the gradient of what lies at these places."""
        return any(
            any(words.alike(one.last, owner) for owner in words.undressed(grad.last)) and one != grad
            for grad in self.arrays
            for one in aliases
        )


class Trials:
    """Runs of a layer on the same inputs. Each begins at the layer's start, with nothing left of the runs before.

    Parameters
    ----------
    plan : Plan
        How the layer is called.
    stage : Stage
        Where its code runs.
    inputs : tuple of numpy.ndarray
        What it is tried on.
    """

    def __init__(self, plan: Plan, stage: Stage, inputs: tuple[np.ndarray, ...]) -> None:
        self.plan, self.stage, self.inputs = plan, stage, inputs
        self.world = plan.found.world

    def outputs(self, changes: Changes, inputs: tuple[np.ndarray, ...] | None = None) -> list[np.ndarray]:
        """Return the outputs with arrays changed, and on other inputs if they are given."""
        self.world.restore()
        for place, values in changes.items():
            self.world.put(place, np.array(values))
        return self.forward(self.inputs if inputs is None else inputs)

    def forward(self, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Run forward on what is there now, without a return to the start."""
        with self.stage("forward", reseed=True):
            return [np.array(y) for y in self.plan.forward(inputs)]

    def written(self, changes: Changes) -> Written:
        """Run forward and backward, and return what backward leaves behind."""
        outputs = self.outputs(changes)
        before = {place: np.array(values) for place, values in self.world.places(aliases=True)}
        grads = upstream(outputs)
        with self.stage("backward"):
            leaves = self.plan.backward(grads)
        after = {place: np.array(values) for place, values in self.world.places(aliases=True)}
        changed = {
            place: values
            for place, values in after.items()
            if place not in before or not np.array_equal(before[place], values, equal_nan=True)
        }
        held = {place: self.world.get(place) for place in changed}
        return Written(changed, leaves, {p: id(v) if isinstance(v, np.ndarray) else p for p, v in held.items()})

    def moving(self, candidates: dict[Place, np.ndarray], changes: Changes) -> dict[Place, np.ndarray]:
        """Return those of the arrays on which the output depends: it changes when they are moved a little."""
        base = self.outputs(changes)
        found = {}
        for place, values in candidates.items():
            try:
                moved = self.outputs(changes | {place: nudged(changes.get(place, values))})
            except LearnerRaisedError:
                continue  # an index or a size: it cannot be moved a little
            if not equal(base, moved):
                found[place] = values
        return found

    def slope(self, place: Place, values: np.ndarray, along: np.ndarray, changes: Changes) -> float:
        """Return the derivative along a direction, of the sum of the outputs times what `written` has upstream."""
        return _slope(lambda step: self.outputs(changes | {place: values + step * along}))

    def slope_of_input(self, index: int, along: np.ndarray, changes: Changes) -> float:
        """Return the same derivative with respect to an input."""

        def outputs(step: float) -> list[np.ndarray]:
            moved = self.inputs[index] + step * along
            return self.outputs(changes, (*self.inputs[:index], moved, *self.inputs[index + 1 :]))

        return _slope(outputs)

    def moved_by_backward(self, places: list[Place], factor: float) -> dict[Place, np.ndarray]:
        """Return the step that backward takes with each array, for an upstream gradient times ``factor``."""
        grads = tuple(factor * grad for grad in upstream(self.outputs({})))
        before = {place: np.array(self.world.get(place)) for place in places}
        with self.stage("backward"):
            self.plan.backward(grads)
        return {place: np.asarray(self.world.get(place)) - before[place] for place in places}

    def follows_input(self, place: Place) -> bool:
        """Return whether forward makes an array of its input, as a running mean; a weight that it rewrites is none."""
        found = []
        for given in (self.inputs, self._other_inputs()):
            self.outputs({}, given)
            found.append(np.array(self.world.get(place)))
        return not np.array_equal(*found, equal_nan=True)

    def left_alone(self, arrays: dict[Place, np.ndarray]) -> set[Place]:
        """Return the places at which forward leaves what is there, on these inputs and on others."""
        kept = set(arrays)
        for given in (self.inputs, self._other_inputs()):
            try:
                self.outputs({}, given)
            except LearnerRaisedError:
                continue  # labels in another order may be none
            kept = {place for place in kept if np.array_equal(self.world.get(place), arrays[place], equal_nan=True)}
        return kept

    def overwritten(self, places: list[Place]) -> set[Place]:
        """Return those of the places at which forward puts the same, whatever was there: a cache, and no state."""
        self.outputs({})
        usual = {place: np.array(self.world.get(place)) for place in places}
        self.outputs({place: nudged(values) for place, values in usual.items()})
        return {p for p, values in usual.items() if np.array_equal(self.world.get(p), values, equal_nan=True)}

    def _other_inputs(self) -> tuple[np.ndarray, ...]:
        return tuple(nudged(x) if x.dtype.kind == "f" else x[::-1] for x in self.inputs)

    def fractions_matter(self, place: Place, values: np.ndarray) -> bool:
        """Return whether forward runs with a quarter added to integers, which an index does not survive."""
        try:
            self.outputs({place: values + 0.25})
        except LearnerRaisedError:
            return False
        return True


def _slope(outputs: Callable[[float], list[np.ndarray]]) -> float:
    def difference(step: float) -> float:
        ends = [
            sum((grad * y).sum() for grad, y in zip(upstream(made), made, strict=True))
            for made in map(outputs, (step, -step))
        ]
        return (ends[0] - ends[1]) / (2 * step)

    # Of fourth order: the curvature of a recurrent layer shows in a central difference.
    return (4 * difference(SLOPE_STEP) - difference(2 * SLOPE_STEP)) / 3
