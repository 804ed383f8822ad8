"""Other inputs of the usual range, those near zero among them: a branch may be rare, a margin narrow.

The usual numbers keep away from zero, and a loss of five examples may have none inside its margin. Only what has a
gradient is drawn anew, so that targets and indices stay what they are.
"""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import nudged
from parity_tests.diagnosis.reading.read import differentiates
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import numbers_to_move, outputs, repeat
from parity_tests.harness.report import Report

DRAWS = (10, 50)
"""The fewest and the most draws; in between, as many as it takes for `NUMBERS` in all: a branch is rare per number."""
NUMBERS = 1000
SMALLER = 16
"""Half of the draws have numbers down to this many times nearer to zero."""
NEAREST = 0.01
"""Beside zero, a step of finite differences would cross it."""


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, names: set[str]
) -> tuple[str, Report | None]:
    """Return what there is to say about other numbers, and the report on the first on which the layer differs."""
    moved = numbers_to_move(learner, inputs)
    agreed = 0
    fewest, most = DRAWS
    for number in range(min(most, max(fewest, NUMBERS // inputs[moved[0]].size)) if moved else 0):
        anew = tuple(_drawn(x, number, seed + i) if i in moved else x for i, x in enumerate(inputs))
        if not _is_finite(learner, anew):
            continue
        # Twice: a hidden kink may lie within the step of one number, but not of others.
        reports = []
        for given in (anew, tuple(nudged(x) if i in moved else x for i, x in enumerate(anew))):
            if theirs is None and differentiates(learner, given):
                break
            reports.append(repeat(learner, theirs, given, seed, names))
            if not reports[-1].differs:
                break
        else:
            reports[0].title += ", other numbers"
            return "", reports[0]
        agreed += 1
    learner.last = inputs
    return f"They agree on {agreed} other draws of the numbers, too." if agreed else "", None


def _drawn(x: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Return numbers of the range of ``x``; rows that sum to 1, and ranges that do not reach zero, stay such."""
    rng = np.random.default_rng([seed, number, 2])
    low, high = x.min(), x.max()
    values = rng.uniform(low, high, x.shape)
    if low < 0 < high:
        values /= SMALLER ** (number % 2 * rng.random(x.shape))
        values += np.copysign(NEAREST, values)
    if x.ndim > 1 and low >= 0 and np.allclose(x.sum(axis=1), 1):
        values /= values.sum(axis=1, keepdims=True)
    return values.astype(x.dtype)


def _is_finite(learner: Learner, inputs: tuple) -> bool:
    try:
        return all(np.isfinite(y).all() for y in outputs(learner, inputs))
    except LearnerRaisedError:
        return False
