"""Single floats: which of them may be learned. Most are options, such as ``eps``, of which nobody wants a gradient.

A float counts as an array does if it lies where parameters are kept (``params["s"]``), or if backward has a gradient of
it. An array of no axes is an array: nobody makes one of an option.
"""

import re

import numpy as np

from parity_tests.diagnosis.reading import holders
from parity_tests.diagnosis.reading.names import GRADIENTS
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.world import World

PARAMETERS = re.compile(r"^_*(params?|parameters|weights|biases|theta|learn\w*|trainable\w*)$", re.I)
OPTIONS = re.compile(
    r"^(eps\w*|p|lr|l_?rate|learning_?rate|momentum|rho|decay\w*|\w+_decay|reg\w*|lam\w*|beta_?\d|keep_?prob|drop\w*)$",
    re.I,
)


def is_float(world: World, place: Place) -> bool:
    """Return whether a plain number is at a place, not an array."""
    return isinstance(world.get(place), float | np.floating)


def is_held_as_parameter(world: World, place: Place) -> bool:
    """Return whether a float lies among parameters: beside arrays, or where there is a holder of gradients, too."""
    *way, _ = place.steps
    if not way or OPTIONS.match(place.last) or not any(PARAMETERS.match(str(key)) for _, key in way):
        return False
    held = world.get(Place(place.root, tuple(way)))
    beside = [value for _, value in holders.children(held)]
    owner = world.get(Place(place.root, tuple(way[:-1])))
    names = [str(key) for (_, key), _ in holders.children(owner, top=True)]
    return any(isinstance(value, np.ndarray) for value in beside) or any(map(GRADIENTS.match, names))
