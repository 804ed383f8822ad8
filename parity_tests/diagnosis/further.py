"""What is compared once the usual numbers agree: ties, other seeds and inputs, other sizes, a second batch."""

from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import (
    against,
    ignored_targets,
    kinks,
    larger_batch,
    larger_upstream,
    longer_axes,
    other_inputs,
    other_seeds,
    other_targets,
    second_batch,
    targets,
    wider,
)
from parity_tests.diagnosis.clipping import clipped
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.repeated import repeat
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays
from parity_tests.harness.report import Report


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, request: Request, usual: Report
) -> Iterator[str | Report]:
    """Yield what there is to say, and a report on what differs; whoever meets one can stop there."""
    names = {q.name for q in usual.quantities}
    tied = _tied(request, theirs, inputs)
    if tied is not None:
        report = repeat(learner, theirs, tied, request.seed, names)
        valid = kinks.shares(learner, theirs, tied, report) if report.differs else ""
        if report.differs and not valid:
            report.title += ", numbers with ties and zeros"
            yield report
        yield valid or "They agree on numbers with ties and zeros, too."
    if theirs is None:
        yield from _told(*other_seeds.compare(learner, inputs, request.seed, names), "with other random draws")
    yield from _told(*other_inputs.compare(learner, theirs, inputs, request.seed, names))
    yield from _told(*other_targets.compare(learner, theirs, inputs, request, names), "with other targets")
    yield from ignored_targets.compare(learner, theirs, inputs, request, names)
    if request.range is None:
        said, report = wider.compare(learner, theirs, inputs, request.seed, usual)
        yield from said
        if report is not None:
            yield report
    yield from _told(*larger_upstream.compare(learner, inputs))
    yield from _told(*larger_batch.compare(learner, theirs, inputs, request.seed, names), "on a larger batch")
    yield from _told(*longer_axes.compare(learner, theirs, inputs, request.seed, names), "on a longer axis")
    report, note = second_batch.compare(learner, theirs, inputs, targets.others(request, inputs), request.seed, names)
    if report is not None:
        yield from _told("", report, second_batch.WORDS)
    yield f"note: {note}" if note else "They agree on a second batch, without a reset in between."


def _told(said: str, report: Report | None, where: str = "") -> Iterator[str | Report]:
    cut = clipped(report) if report is not None and where else ""
    if cut:
        yield f"note: {where}, {cut}; up to there, it is right"
    elif report is not None:
        yield report
    if said:
        yield said


def _tied(request: Request, theirs: Callable | None, inputs: tuple) -> tuple | None:
    if theirs is None or request.range or inputs[0].dtype.kind != "f":
        return None
    tied, target = targets.draw(request, arrays.tied)
    if tied[0].shape != inputs[0].shape:
        tied = tuple(np.ascontiguousarray(x.T) if x.ndim == 2 else x for x in tied)
    if target is not None:
        tied = (*tied[:target], inputs[target], *tied[target + 1 :])
    return None if against.refusal(theirs, tied) else tied
