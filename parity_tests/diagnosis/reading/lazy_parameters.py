"""Parameters that the first forward creates, when it sees the shape of its input, as PyTorch's lazy modules do."""

import copy

import numpy as np

from parity_tests.diagnosis.reading import generators
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.trials import Trials


def start_with_them(trials: Trials, flush: str) -> set[Place]:
    """Take the state after a first forward as the start if it creates parameters: what changes a second forward.

    Return the places of all that it creates, caches among them; none if it creates no parameters. ``flush`` is the name
    of the method that empties what forward keeps in lists, if it has one.
    """
    world = trials.world
    world.restore()
    known = {place for place, _ in world.places()}
    draws = generators.states(generators.generators(world.roots))

    def forward() -> list[np.ndarray]:
        generators.put_back(draws)
        return trials.forward(trials.inputs)

    first = forward()
    now = dict(world.places(aliases=True))
    own = [values for place, values in now.items() if place in known]  # forward may keep them in a cache, too
    later = {
        place: np.array(values)
        for place, values in now.items()
        if place not in known
        and values.ndim
        and values.dtype.kind in "fc"
        and not isinstance(world.held(place), bytes)  # no parameter: what hashing keeps of an input
        and not any(np.may_share_memory(values, other) for other in own)
    }
    if not later:
        return set()
    held = copy.deepcopy(later)
    if not equal(first, forward()):
        return set()
    for place, values in held.items():
        world.put(place, nudged(values))
        moved = forward()
        world.put(place, values)
        if not equal(first, moved):
            forward()
            generators.put_back(draws)
            if flush:
                getattr(trials.plan.found.owner, flush)()
            world.snapshot()
            return set(now) - known
    return set()
