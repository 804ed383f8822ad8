"""Random draws from other seeds, in a layer that draws: an index that is drawn twice may be rare."""

from parity_tests.diagnosis.randomness import drawing, is_random
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.read import differentiates
from parity_tests.diagnosis.repeated import repeat
from parity_tests.harness.report import Report

DRAWS = 10


def compare(learner: Learner, inputs: tuple, seed: int, names: set[str]) -> tuple[str, Report | None]:
    """Return what there is to say about other draws, and the report on the first with which the layer differs."""
    if not is_random(learner, None, inputs):
        return "", None
    for other in range(seed + 1, seed + 1 + DRAWS):
        with drawing(learner, other):
            if differentiates(learner, inputs):
                continue
            report = repeat(learner, None, inputs, seed, names)
        if report.differs:
            report.title += ", with other random draws"
            return "", report
    return f"They agree with {DRAWS} other random draws, too.", None
