"""Conventions that are not mistakes: some gradients are means over the examples, others are sums."""

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
    each_example = all(np.ndim(output) for output in learner.outputs)  # a loss has averaged, or not
    return (
        axis == 1
        and each_example
        and all(np.allclose(q.got * inputs[0].shape[1], q.expected, rtol=1e-6) for q in wrong)
    )


def sum_for_data(learner: Learner, report: Report, inputs: tuple[np.ndarray, ...]) -> str:
    """Return what to say if a network's gradients of its data are of the sum over the examples, not of its loss.

    Some gradient of a parameter has to be right, and so that of the loss, which averages. What else differs counts.
    """
    first = [q for q in report.quantities if not q.name.endswith(AGAIN) and not q.fault]
    data = [q for q in first if q.name.startswith("grad_input")]
    right = [q for q in first if q not in data and q.ok and np.any(q.got)]
    axis = learner.example_axes(inputs)[0]
    if not learner.found.of_data or report.faults or not data or not right or axis is None:
        return ""
    count = inputs[0].shape[axis]
    if any(q.ok or not np.allclose(q.got, count * q.expected, rtol=1e-6, atol=1e-9) for q in data):
        return ""
    names = learner.input_names(len(inputs))
    of = " and ".join(names[i] for i in learner.reading.inputs)
    return f"the gradient of {of} divided by {count}, the number of examples"


SUM = (
    "backward leaves out the 1/m of the loss on its way to the data, and puts it in for each parameter: right by the "
    "convention of courses that write networks this way. The gradient of the data is that of the sum over the examples"
)
