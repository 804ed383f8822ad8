"""The arrays beside the outputs: kept for backward, without a gradient, or outputs that are not compared."""

import numpy as np

from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.places import Place
from parity_tests.diagnosis.reading.running import LearnerRaisedError


def not_compared(
    learner: object, inputs: tuple[np.ndarray, ...], drawn: dict[Place, np.ndarray]
) -> list[tuple[str, tuple]]:
    """Return the name and shape of each array that gets no upstream gradient and that backward does not use.

    ``drawn`` are random numbers for the parameters: weights of zeros would hide what lies behind them. An array on
    which neither an input nor any other array has an influence (a mask that was drawn) has no gradient.
    """
    plan = learner.plan
    learner._outputs_with(inputs, drawn)
    before = list(plan.made.values)
    learner.world.restore()
    held = {place: values for place, values in learner.world.places() if values.ndim and values.dtype.kind == "f"}
    changes = {place: nudged(values) for place, values in (held | drawn).items()}
    try:
        learner._outputs_with(tuple(nudged(x) if x.dtype.kind == "f" else x for x in inputs), changes)
        after = list(plan.made.values)
    except LearnerRaisedError:
        after = [None] * len(before)
    return [
        (plan.made.name(index), np.shape(before[index]))
        for index in plan.beside()
        if not np.array_equal(before[index], after[index], equal_nan=True)
        and not _is_used(learner, inputs, drawn, index)
    ]


def _is_used(learner: object, inputs: tuple[np.ndarray, ...], drawn: dict[Place, np.ndarray], index: int) -> bool:
    """Return whether backward gets a value and computes something else if it is replaced by other numbers."""
    usual = learner._written(inputs, drawn)
    if index not in learner.plan.handed:
        return False
    learner.plan.shaken = index
    try:
        shaken = learner._written(inputs, drawn)
    except LearnerRaisedError:
        return True
    finally:
        learner.plan.shaken = None
    return any(
        one.keys() != other.keys() or not equal(_arrays(one), _arrays(other))
        for one, other in zip(usual, shaken, strict=True)
    )


def _arrays(found: dict) -> list[np.ndarray]:
    return [values for values in found.values() if values is not None]
