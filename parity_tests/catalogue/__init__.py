"""Every layer, loss, optimizer, scheduler and model of the public interface, with a way to draw cases of it at random.

    >>> case = named("Conv2d").case("float64", seed=3)
    >>> case.check(seed=3).ok
    True

The tests of a single layer draw theirs with Hypothesis, which also shrinks what fails. The catalogue is for code that
treats all layers alike: the table of ``backprop parity``, special values, refusals.
"""

from parity_tests.catalogue import (
    activations,
    attention,
    distributions,
    images,
    layers,
    likelihoods_and_margins,
    losses,
    models,
    optimizers,
    recurrent,
    schedulers,
)
from parity_tests.catalogue.entry import CATALOGUE, KINDS, Draw, Entry, LayerCase

__all__ = [
    "CATALOGUE",
    "KINDS",
    "Draw",
    "Entry",
    "LayerCase",
    "activations",
    "attention",
    "distributions",
    "images",
    "layers",
    "likelihoods_and_margins",
    "losses",
    "models",
    "named",
    "of_kind",
    "optimizers",
    "recurrent",
    "schedulers",
]


def named(name: str) -> Entry:
    """Return the entry of a name."""
    return next(one for one in CATALOGUE if one.name == name)


def of_kind(*kinds: str) -> list[Entry]:
    """Return the entries of some kinds."""
    return [one for one in CATALOGUE if one.kind in kinds]
