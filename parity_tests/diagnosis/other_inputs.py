"""Other inputs of the usual range, those near zero among them: a branch may be rare, a margin narrow.

The usual numbers keep away from zero, and a loss of five examples may have none inside its margin. Only what has a
gradient is drawn anew, so that targets and indices stay what they are; the parameters' numbers get other places and
signs, as a single one has but one sign.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.clipping import clipped
from parity_tests.diagnosis.coarseness import decides_nothing
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
    fewest, most = DRAWS
    count = min(most, max(fewest, NUMBERS // inputs[moved[0]].size)) if moved else fewest * bool(learner.parameters)
    agreed, unsure, cut = 0, 0, ""
    found: list[Report] = []
    for number in range(count):
        anew = tuple(_drawn(x, number, seed + i) if i in moved else x for i, x in enumerate(inputs))
        with _other_parameters(learner, number):
            if not _is_finite(learner, anew):
                continue
            # Twice: a hidden kink may lie within the step of one number, but not of others.
            beside = tuple(nudged(x) if i in moved else x for i, x in enumerate(anew))
            report = _differing(learner, theirs, anew, seed, names)
            if report is None or _differing(learner, theirs, beside, seed, names) is None:
                agreed += 1
                continue
            if theirs is None and learner.parameters and decides_nothing(learner, anew):
                unsure += 1
                continue
        found.append(report)
        cut = said_of_clips(found)
        if not cut and len(found) > 1:
            return "", found[0]
    learner.last = inputs
    if found and not cut:
        return "", found[0]
    said = f"They agree on {agreed} other draws of the numbers, too." if agreed else ""
    cut = f"note: on other draws, {cut}; up to there, it is right" if cut else ""
    left = f"note: other draws that were not compared, as rounding or a guard decides there: {unsure}" if unsure else ""
    return "\n".join(filter(None, (said, left, cut))), None


def said_of_clips(reports: list[Report]) -> str:
    """Return how gradients are clipped, if that explains all of the reports; nothing otherwise."""
    # One number that is cut off shows in several draws: the limit is the same.
    together = clipped(Report("", [q for report in reports for q in report.wrong]))
    return together or (clipped(reports[-1]) if all(map(clipped, reports)) else "")


def _differing(learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, names: set[str]) -> Report | None:
    """Return the report if the layer differs, with what it suspects of these parameters."""
    if theirs is None and differentiates(learner, inputs):
        return None
    report = repeat(learner, theirs, inputs, seed, names)
    if not report.differs:
        return None
    report.title += ", other numbers"
    said = report.suspects(report)
    report.suspects = lambda _: said
    return report


@contextlib.contextmanager
def _other_parameters(learner: Learner, number: int) -> Iterator[None]:
    before = {name: parameter.data for name, parameter in learner.named_parameters()}
    rng = np.random.default_rng([number, 3])
    for name, values in before.items():
        signs = 1 if name in learner.positive else rng.choice((-1, 1), values.shape)
        placed = rng.permutation(values.reshape(-1)).reshape(values.shape)
        learner.parameters[name].data = (signs * placed).astype(values.dtype)
    try:
        yield
    finally:
        for name, values in before.items():
            learner.parameters[name].data = values


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
