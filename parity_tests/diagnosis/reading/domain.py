"""Parameters that are positive by their meaning, such as a width or a variance: random numbers would be negative."""

import contextlib
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError


def keep_positive(learner: Learner, inputs: tuple[np.ndarray, ...]) -> list[str]:
    """Give parameters that start positive positive numbers if forward gives NaN for others; return their names."""
    if not _gives_nan(learner, inputs):
        return []
    before = _make_positive(learner)
    if before and not _gives_nan(learner, inputs):
        return list(before)
    _put_back(learner, before)
    return []


@contextlib.contextmanager
def positive(learner: Learner) -> Iterator[bool]:
    """Let the parameters that start positive have positive numbers; yield whether any had others."""
    before = _make_positive(learner)
    try:
        yield bool(before)
    finally:
        _put_back(learner, before)


def _make_positive(learner: Learner) -> dict[str, np.ndarray]:
    """Make the numbers positive, and return what they were, by the parameters' names."""
    learner.world.restore()
    before = {}
    for one in learner.reading.learned:
        start, parameter = learner.values(one), learner.parameters[one.name]
        if start.size and (start > 0).all() and (parameter.data < 0).any():
            before[one.name], parameter.data = parameter.data, np.abs(parameter.data)
    return before


def _put_back(learner: Learner, before: dict[str, np.ndarray]) -> None:
    for name, values in before.items():
        learner.parameters[name].data = values


def _gives_nan(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    try:
        made = learner.forward(*inputs)
    except LearnerRaisedError:
        return False
    return any(np.isnan(y).any() for y in (made if isinstance(made, tuple) else (made,)))
