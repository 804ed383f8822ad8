"""A backward that takes the step itself: its learning rate, and the optimizer object that takes it.

The rate is backward's argument, an attribute of the layer, or one of an optimizer in an attribute, as in
``self.W = self.W_opt.update(self.W, grad)``. What such an optimizer keeps, a velocity, is put back before each
backward. Where its step is not the rate times the gradient, as Adam's, the gradient cannot be told from the step.
"""

import copy

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.places import OPAQUE, Place, World


def rate_of(found: Found, place: Place, given: float) -> tuple[float, Place | None]:
    """Return the rate of the steps that backward takes with an array, and the optimizer that has it, if one does.

    ``given`` is the rate that backward gets as an argument, where it takes one.
    """
    world = found.world
    if any(found.is_rate(p.name) for p in found.parameters(found.backward)):
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


def _number(attributes: dict) -> float | None:
    values = [v for n, v in attributes.items() if words.RATES.match(n) and isinstance(v, float | int)]
    return float(values[0]) if values else None


class Optimizers:
    """The optimizers' own states at the start, to put them back before each backward."""

    def __init__(self, world: World, places: set[Place]) -> None:
        self.world = world
        self.start = {place: copy.deepcopy(vars(world.get(place))) for place in places}

    def have(self, thing: object) -> bool:
        """Return whether this is one of the optimizers."""
        return thing is not None and any(self.world.get(place) is thing for place in self.start)

    def put_back(self) -> None:
        """Put every optimizer back to the start."""
        for place, attributes in self.start.items():
            own = vars(self.world.get(place))
            own.clear()
            own.update(copy.deepcopy(attributes))
