"""The arrays beside the outputs: kept for backward, without a gradient, or outputs that are not compared."""

import numpy as np

from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.nested import leaves
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.reading.trials import Changes, Trials


def not_compared(trials: Trials, drawn: Changes) -> list[tuple[str, tuple]]:
    """Return the name and shape of each array that gets no upstream gradient and that backward does not use.

    ``drawn`` are random numbers for the parameters: weights of zeros would hide what lies behind them. An array on
    which neither an input nor any other array has an influence (a mask that was drawn) has no gradient.
    """
    plan, world = trials.plan, trials.world
    trials.outputs(drawn)
    before = list(plan.made.values)
    world.restore()
    held = {place: values for place, values in world.places() if values.ndim and values.dtype.kind in "fc"}
    changes = {place: nudged(values) for place, values in (held | drawn).items()}
    try:
        trials.outputs(changes, tuple(nudged(x) if x.dtype.kind == "f" else x for x in trials.inputs))
        after = list(plan.made.values)
    except LearnerRaisedError:
        after = [None] * len(before)
    moved = [index for index in plan.beside() if not equal(leaves(before[index]), leaves(after[index]))]
    return [
        (name, np.shape(leaf))
        for index in moved
        if not _is_used(trials, drawn, index)
        for name, leaf in zip(plan.made.output_names((index,)), leaves(before[index]), strict=True)
    ]


def _is_used(trials: Trials, drawn: Changes, index: int) -> bool:
    """Return whether backward gets a value and computes something else if it is replaced by other numbers."""
    plan, usual = trials.plan, trials.written(drawn)
    if index not in plan.handed:
        return False
    plan.shaken = index
    try:
        shaken = trials.written(drawn)
    except LearnerRaisedError:
        return True
    finally:
        plan.shaken = None
    return any(
        one.keys() != other.keys() or not equal(_arrays(one), _arrays(other))
        for one, other in ((usual.arrays, shaken.arrays), (usual.leaves, shaken.leaves))
    )


def _arrays(found: dict) -> list[np.ndarray]:
    return [values for values in found.values() if values is not None]
