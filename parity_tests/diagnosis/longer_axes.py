"""Higher or wider images, and longer sequences: backward may be right for squares, or for one length, alone."""

from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.batches import longer
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import outputs, repeat
from parity_tests.harness.report import Report

STEPS = (3, 2)
"""By how much an axis is made longer: by the first that forward runs on; pooling takes multiples of 2 or of 3."""


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, names: set[str]
) -> tuple[str, Report | None]:
    """Return what there is to say about longer axes than that of the batch, and the report if the layer differs there.

    Of a loss only the batch gets longer: classes of a target cannot be added.
    """
    agreed = []
    for larger in _larger(learner, theirs, inputs):
        try:
            report = repeat(learner, theirs, larger, seed, names)
        except LearnerRaisedError:
            continue  # meant for one size
        if report.differs:
            report.title += ", another size"
            report.suspects = lambda _: [
                f"right for an input of {inputs[0].shape} alone: is a length fixed, or taken from the wrong axis?"
            ]
            return "", report
        agreed.append(str(larger[0].shape))
    learner.last = inputs
    return f"They agree on inputs of {' and '.join(agreed)}, too." if agreed else "", None


def _larger(learner: Learner, theirs: Callable | None, inputs: tuple) -> Iterator[tuple[np.ndarray, ...]]:
    x = inputs[0]
    examples = learner.example_axes(inputs)[0]
    if x.ndim < 3 or not x.size or all(y.ndim == 0 for y in outputs(learner, inputs)):
        return
    for axis in [axis for axis in range(x.ndim) if axis != examples]:
        for by in STEPS:
            larger = tuple(longer(one, x.shape[axis], axis, by) for one in inputs)
            if _runs(learner, larger) and not (theirs is not None and against.refusal(theirs, larger)):
                yield larger
                break


def _runs(learner: Learner, inputs: tuple) -> bool:
    try:
        outputs(learner, inputs)
    except LearnerRaisedError:
        return False
    return True
