"""Which of a layer's arrays its output depends on, with random numbers where zeros would hide it."""

from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading import floats
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.moving import drawn as random_numbers
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.reading.trials import Changes, Trials, Written
from parity_tests.diagnosis.reading.world import World


@dataclass
class Influences:
    """What has an influence on a layer's output.

    Attributes
    ----------
    arrays : dict of Place to numpy.ndarray
        Every array, and every single number that may be learned, with its values at the start.
    moving : dict of Place to numpy.ndarray
        Those of them on which the output depends.
    drawn : dict of Place to numpy.ndarray
        Random numbers for parameters, under which this was found out: a bias or a last layer of zeros would hide what
        lies behind it. Empty if forward does not run on them.
    """

    arrays: dict[Place, np.ndarray]
    moving: dict[Place, np.ndarray]
    drawn: Changes


def influences(trials: Trials) -> Influences:
    """Find out what the output depends on: move each array a little, and run forward again."""
    world = trials.world
    world.restore()
    # First with random numbers in everything that has the name of a gradient's owner.
    places = {place: np.array(values) for place, values in world.places() if values.size}
    written = trials.written({})
    world.restore()
    arrays = {
        place: values
        for place, values in places.items()
        if values.dtype.kind in "fciu" and (not floats.is_float(world, place) or _may_be_learned(world, place, written))
    }
    named = {p: v for p, v in arrays.items() if v.dtype.kind in "fc" and written.has_gradient_of(world.aliases(p))}
    moving: dict[Place, np.ndarray] = {}
    drawn: Changes = {}
    for _ in range(3):
        moving |= trials.moving({p: v for p, v in arrays.items() if p not in moving}, drawn)
        before = set(drawn)
        for number, (place, values) in enumerate((moving | named).items()):
            if place not in drawn and values.dtype.kind in "fc" and not words.is_running_statistic(*place.spellings):
                drawn[place] = random_numbers(values, seed=11 + number)
        if set(drawn) == before:
            break
        try:
            trials.outputs(drawn)
        except LearnerRaisedError:
            drawn = {}
            break
    return Influences(arrays, moving, drawn)


def _may_be_learned(world: World, place: Place, written: Written) -> bool:
    return (
        floats.is_held_as_parameter(world, place)
        or written.has_gradient_of(world.aliases(place))
        or any(words.alike(place.last, owner) for name in written.leaves for owner in words.undressed(name))
    )
