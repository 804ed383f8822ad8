"""Numbers over a wider range than the usual ones: a threshold at 6 or 10 is not reached between -1.5 and 2.

Only what has a gradient is spread, so that targets, probabilities and indices stay what they are. A range in which
forward is not finite is left out. Where forward takes the logarithm of what has become nearly 0, a difference decides
nothing: losses are guarded there by a small constant or a clip, and backward is that of the loss without its guard.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.clipping import clipped
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import numbers_to_move, outputs, repeat
from parity_tests.harness.report import Quantity, Report

LIMITS = (14, 100)
FALLBACK = 4
GUARDED = 0.01
"""Beside a smaller argument of a logarithm, its guard counts."""
SIGNIFICANT = {"float64": 1e-6, "float32": 1e-3}
"""The smallest difference that counts: at saturation, rounding and guards decide the last digits."""


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, usual: Report
) -> tuple[list[str], Report | None]:
    """Return what there is to say about wider ranges, and the report on the first in which the layer differs."""
    names = [q.name for q in usual.quantities]
    moved = numbers_to_move(learner, inputs)
    if not moved or not names:
        return [], None
    agreed: list[str] = []
    guarded = False
    for limit in (*LIMITS, FALLBACK):
        smallest = smallest_logarithm(learner, _spread(inputs, moved, limit, seed))
        if smallest is None or (limit == FALLBACK and agreed):
            continue
        # Twice: a hidden kink may lie within the step of one number, but not of others.
        for once in (seed, seed + 1):
            report = repeat(learner, theirs, _spread(inputs, moved, limit, once), seed, names)
            _leave_out_what_is_small(report, usual)
            if not report.differs:
                agreed.append(f"±{limit}")
                break
        else:
            if smallest < GUARDED:
                guarded = True
                continue
            if said := clipped(report):
                return [*_words(agreed), f"note: on numbers up to ±{limit}, {said}; up to there, it is right"], None
            report.title += f", numbers up to ±{limit}"
            return _words(agreed), report
    if agreed:
        return _words(agreed), None
    why = (
        "a logarithm's argument is nearly 0 there, and its guard decides" if guarded else "forward is not finite there"
    )
    return [f"note: beyond about ±2 nothing was compared: {why}"], None


def _words(agreed: list[str]) -> list[str]:
    return [f"They agree on numbers up to {' and '.join(agreed)}, too."] if agreed else []


def _spread(inputs: tuple, moved: list[int], limit: float, seed: int) -> tuple:
    return tuple(spread(x, limit, seed + i) if i in moved else x for i, x in enumerate(inputs))


def spread(x: np.ndarray, limit: float, seed: int) -> np.ndarray:
    """Return numbers from 2 to ``limit`` in size, even over the orders of magnitude, of both signs."""
    rng = np.random.default_rng([seed, int(limit)])
    sizes = np.repeat(np.geomspace(0.98 * limit, 2, (x.size + 1) // 2), 2)[: x.size]
    values = sizes * np.where(np.arange(x.size) % 2, -1.0, 1.0) * rng.uniform(0.97, 1, x.size)
    return rng.permutation(values).reshape(x.shape).astype(x.dtype)


def smallest_logarithm(learner: Learner, inputs: tuple) -> float | None:
    """Return the smallest number of which forward takes the logarithm, at most 1; None if forward is not finite."""
    try:
        with logarithms() as smallest:
            made = outputs(learner, inputs)
    except LearnerRaisedError:
        return None
    return min(smallest, default=1.0) if all(np.isfinite(y).all() for y in made) else None


@contextlib.contextmanager
def logarithms() -> Iterator[list[float]]:
    """Collect the smallest argument of each call of a logarithm, at most 1."""
    smallest: list[float] = []
    kept = {name: getattr(np, name) for name in ("log", "log2", "log10")}

    def watched(function: Callable) -> Callable:
        def call(x: object, *args: object, **named: object) -> object:
            smallest.append(float(np.min(x, initial=1.0)))
            return function(x, *args, **named)

        return call

    try:
        for name, function in kept.items():
            setattr(np, name, watched(function))
        yield smallest
    finally:
        for name, function in kept.items():
            setattr(np, name, function)


def _leave_out_what_is_small(report: Report, usual: Report) -> None:
    report.quantities = [q for q in report.quantities if q.ok or q.fault or _size(q) > _allowed(q, usual)]


def _size(quantity: Quantity) -> float:
    error = np.abs(quantity.got - quantity.expected)[quantity.different]
    return np.inf if not np.isfinite(error).all() else error.max()


def _allowed(quantity: Quantity, usual: Report) -> float:
    before = [one for one in usual.quantities if one.name == quantity.name]
    scale = max(np.abs(one.expected).max(initial=0) for one in (quantity, *before))
    return SIGNIFICANT[str(np.dtype(quantity.expected.dtype))] * scale
