"""A larger upstream gradient: backward is linear in it, and a clip in backward lies beyond the usual numbers."""

import numpy as np

from parity_tests.diagnosis.clipping import clipped
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.trials import upstream
from parity_tests.diagnosis.repeated import outputs
from parity_tests.harness.budget import Budget
from parity_tests.harness.reference import grad_name, numbered
from parity_tests.harness.report import Quantity, Report

FACTOR = 1024.0
"""A power of two: the gradients are exactly as many times as large."""
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


def compare(learner: Learner, inputs: tuple) -> tuple[str, Report | None]:
    """Return what there is to say about a gradient that is clipped, and the report if backward is not linear."""
    usual, large = (gradients(learner, inputs, factor) for factor in (1.0, FACTOR))
    words = f"an upstream gradient {FACTOR:g} times as large"
    report = Report(f"{learner.title}, {words}")
    for name in usual.keys() & large.keys():
        expected = FACTOR * usual[name]
        allowed = TOLERANCE[str(expected.dtype)] * np.abs(expected).max(initial=0)
        report.quantities.append(Quantity(name, expected, large[name], Budget(allowed)))
    if not report.differs:
        return "", None
    if said := clipped(report):
        return f"note: with {words}, {said}; up to there, it is right", None
    report.suspects = lambda _: ["backward has to be linear in the gradient that it gets: is it clipped, or compared?"]
    return "", report


def gradients(learner: Learner, inputs: tuple, factor: float) -> dict[str, np.ndarray]:
    """Return all gradients by name, with random upstream gradients times a factor."""
    grads = [factor * grad for grad in upstream(outputs(learner, inputs))]
    returned = learner.backward(*[grad if grad.ndim else float(grad) for grad in grads])
    of_inputs = returned if isinstance(returned, tuple) else (returned,)
    named = {numbered("grad_input", i, len(of_inputs)): values for i, values in enumerate(of_inputs)}
    named |= {grad_name(name): parameter.grad for name, parameter in learner.named_parameters()}
    return {name: values for name, values in named.items() if values is not None and np.isfinite(values).all()}
