"""A convention that is not a mistake: where the examples are columns, a layer's own gradients are means over them."""

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.harness.report import AGAIN, Report

MEANS = (
    "the examples are the columns, and the gradients of what all of them share are means over the examples, not sums: "
    "right by the convention of courses that write layers this way, where each column of the upstream gradient is that "
    "of its own example's loss. It is wrong after a loss that averages by itself: that divides twice"
)


def means_over_columns(learner: Learner, report: Report, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether all that differs in a report is that the shared gradients are means over the columns."""
    wrong = [q for q in report.wrong if not q.name.endswith(AGAIN)]
    if report.faults or learner.averages or inputs[0].ndim != 2 or any(q.fault for q in wrong) or len(wrong) < 2:
        return False
    axis = learner.example_axes(inputs)[0]
    return axis == 1 and all(np.allclose(q.got * inputs[0].shape[1], q.expected, rtol=1e-6) for q in wrong)
