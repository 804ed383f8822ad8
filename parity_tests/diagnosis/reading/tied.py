"""The gradient of an array that is held at several places, where backward leaves several arrays that may be it.

Two layers that share their weights each leave a part, and the gradient is the sum. A network may also gather what its
layers leave in a dictionary of its own; then one of the arrays is all of it.
"""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.moving import drawn
from parity_tests.diagnosis.reading.names import GRADIENTS
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.source import Source

CLOSE = 1e-6


def source(
    place: Place,
    found: list[Place],
    written: dict[Place, np.ndarray],
    slope: Callable[[Place, np.ndarray], float],
) -> Source:
    """Return what is the gradient among the arrays ``found``: one, or their sum.

    What lies further outside is what an optimizer gets, and a part only if the sum is right. Among arrays that lie
    equally deep it is what finite differences confirm along a random direction, else the sum.
    """
    found = sorted(found, key=lambda one: (not _in_holder(one), len(one.steps)))
    first, *others = found
    if all(np.array_equal(written[first], written[other]) for other in others):
        return Source(place=first)
    along = drawn(written[first], seed=7)
    if any(written[other].shape != along.shape for other in others):
        return Source(place=first, beside=tuple(others))
    true = slope(place, along)

    def right(*places: Place) -> bool:
        return is_close(sum(np.vdot(along, written[one]).real for one in places), true)

    level = [one for one in found if (_in_holder(one), len(one.steps)) == (_in_holder(first), len(first.steps))]
    if len(level) == 1:
        return Source(place=first, more=tuple(others)) if right(*found) and not right(first) else Source(place=first)
    alone = next((one for one in level if right(one)), None)
    if alone is None:
        return Source(place=first, more=tuple(level[1:]))
    return Source(place=alone, beside=tuple(one for one in level if one != alone and written[one].any()))


def is_close(got: float, true: float) -> bool:
    """Return whether a derivative along a direction is the true one, as finite differences can tell."""
    return abs(got - true) <= CLOSE * (1 + abs(true))


def _in_holder(place: Place) -> bool:
    return any(GRADIENTS.match(str(key)) for _, key in place.steps[:-1])
