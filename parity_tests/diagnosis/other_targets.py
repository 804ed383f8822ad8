"""Targets of the classes that were not drawn: of few examples none may be of the class that backward gets wrong."""

from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import outputs, repeat
from parity_tests.diagnosis.request import Request
from parity_tests.harness.report import Report

MOST = 3
"""The most draws; a class that does not come in then is one of many, neither the first nor the last."""


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, request: Request, names: set[str]
) -> tuple[str, Report | None]:
    """Return what there is to say about targets of other classes, and the report on the first that differ."""
    place = learner.plan.options.target
    if place is None or not inputs[place].size:
        return "", None
    agreed: list[int] = []
    for classes, drawn in _others(request, inputs[place], inputs[0].shape):
        changed = (*inputs[:place], drawn, *inputs[place + 1 :])
        try:
            finite = all(np.isfinite(y).all() for y in outputs(learner, changed))
        except LearnerRaisedError:
            finite = False
        if not finite:
            continue  # no loss is left where all examples are ignored
        try:
            report = repeat(learner, theirs, changed, request.seed, names)
        except LearnerRaisedError as error:
            report = Report(learner.title, faults=[str(error)])
        if report.differs or report.faults:
            report.title += f", targets of {_listed(classes)}"
            report.suspects = lambda _: ["right for the targets before, none of which was one of these"]
            return "", report
        agreed += classes
    learner.last = inputs
    return f"They agree with targets of {_listed(sorted(agreed))}, too." if agreed else "", None


def _others(request: Request, target: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield targets that have what the drawn one has not, and what that is: the first class, the last, and others."""
    shape = request.target_shape or shape
    if request.target == "binary":
        missing = [value for value in (0, 1) if value not in target]
        yield from [(missing, (1 - target).astype(target.dtype))] if missing else []
    if request.target != "classes":
        return
    count = shape[1] if len(shape) > 1 else shape[0]
    missing = [one for one in dict.fromkeys((0, count - 1, *range(count))) if one not in target]
    for start in range(0, len(missing), target.size)[:MOST]:
        drawn, classes = np.array(target), missing[start : start + target.size]
        drawn.flat[: len(classes)] = classes
        yield classes, drawn


def _listed(classes: list[int]) -> str:
    *others, last = classes
    return f"{', '.join(map(str, others))} and {last}" if others else str(last)
