"""A backward that takes the step itself: its learning rate, and the optimizer object that takes it.

The rate is backward's argument, an attribute of the layer, or one of an optimizer in an attribute, as in
``self.W = self.W_opt.update(self.W, grad)``. What such an optimizer keeps is put back before each backward, and so is
a velocity that backward keeps itself. Where the step is not the rate times the gradient, as Adam's, the gradient cannot
be told from it.
"""

import copy
from collections.abc import Iterable

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.holders import OPAQUE
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.trials import Trials, Written
from parity_tests.diagnosis.reading.world import World


def rate_of(found: Found, place: Place, given: float) -> tuple[float, Place | None]:
    """Return the rate of the steps that backward takes with an array, and the optimizer that has it, if one does.

    ``given`` is the rate that backward gets as an argument, where it takes one.
    """
    world = found.world
    if any(found.is_rate(p) for p in found.parameters(found.backward)):
        return given, None
    holders = [Place(place.root, place.steps[:count]) for count in range(len(place.steps) - 1, -1, -1)]
    for holder in [*holders, Place(0, ())]:  # what holds the array first, then what holds that
        own = getattr(world.get(holder), "__dict__", {})
        if (value := _number(own)) is not None:
            return value, None
        for name in sorted(own, key=lambda name: place.last not in name.split("_")):  # W_opt before b_opt for W
            inner = None if isinstance(own[name], (*OPAQUE, np.ndarray)) else getattr(own[name], "__dict__", {})
            if inner and (value := _number(inner)) is not None:
                return value, Place(holder.root, (*holder.steps, ("attr", name)))
    return 1.0, None


def rate_held(owner: object) -> float | None:
    """Return the learning rate that an object has as an attribute, None if it has none."""
    return _number(vars(owner))


def _number(attributes: dict) -> float | None:
    values = [v for n, v in attributes.items() if words.RATES.match(n) and isinstance(v, float | int)]
    return float(values[0]) if values else None


class Optimizers:
    """What the steps keep from one to the next, to put it back before each backward.

    Attributes
    ----------
    start : dict of Place to dict
        The optimizers' own attributes at the start.
    velocities : list of Place
        The arrays with which backward itself takes steps.
    """

    def __init__(self, world: World, places: Iterable[Place], velocities: list[Place]) -> None:
        self.world, self.velocities = world, velocities
        self.start = {place: copy.deepcopy(vars(world.get(place))) for place in places}
        self._first = {place: copy.deepcopy(world.get(place)) for place in velocities}

    def have(self, thing: object) -> bool:
        """Return whether this is one of the optimizers."""
        return thing is not None and any(self.world.get(place) is thing for place in self.start)

    def put_back(self) -> None:
        """Put everything back to the start."""
        for place, attributes in self.start.items():
            own = vars(self.world.get(place))
            own.clear()
            own.update(copy.deepcopy(attributes))
        for place, value in self._first.items():
            self.world.put(place, copy.deepcopy(value))

    def words(self) -> str:
        """Return what is put back, in words; "" for nothing."""
        kept = [f"what {self.world.words(place)} keeps" for place in self.start]
        return " and ".join(kept + [self.world.words(place) for place in self.velocities])


def velocities(trials: Trials, stepped: set[Place], written: Written, moving: set[Place]) -> list[Place]:
    """Return the arrays that backward keeps for its own next step, as ``v = 0.9 * v - rate * dW``.

    Each has the shape of a parameter that is stepped, exists at the start, and what was in it fades: a part of it is
    there after the next backward. Gradients that are added up do not fade.
    """
    world = trials.world
    shapes = {written.arrays[place].shape for place in stepped if place in written.arrays}
    world.restore()
    candidates = [
        place
        for place, values in written.arrays.items()
        if values.shape in shapes and place not in stepped | moving and world.get(place) is not None
    ]
    return [place for place in candidates if _fades(trials, place, written.arrays[place].shape)]


def _fades(trials: Trials, place: Place, shape: tuple[int, ...]) -> bool:
    trials.world.restore()
    start = np.zeros(shape) + np.asarray(trials.world.get(place), np.float64)
    after = []
    for added in (0.0, 1.0):
        trials.written({place: start + added})
        after.append(np.array(trials.world.get(place)))
    left = after[1] - after[0]
    return bool(np.ptp(left) < 1e-9 and 0 < left.flat[0] < 1) if left.size else False
