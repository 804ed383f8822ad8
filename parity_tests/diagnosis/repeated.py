"""A comparison that agreed on the usual numbers, once more on others."""

from collections.abc import Callable, Iterable

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.read import differentiates
from parity_tests.diagnosis.reading.trials import upstream
from parity_tests.harness.compare import check
from parity_tests.harness.report import Report

MANY = 400
"""With more numbers than this, finite differences are first taken along one direction through all of them."""


def repeat(learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, names: Iterable[str]) -> Report:
    """Compare the quantities called ``names``, those that could be compared before."""
    count = sum(x.size for x in inputs) + sum(p.data.size for _, p in learner.named_parameters())
    if theirs is None and count > MANY and differentiates(learner, inputs):
        return Report(learner.title)
    report = check(learner, theirs, *inputs, seed=seed, strict=False)
    names = set(names)
    report.quantities = [q for q in report.quantities if q.name in names]
    return report


def numbers_to_move(learner: Learner, inputs: tuple) -> list[int]:
    """Return the inputs whose numbers may be others: those with a gradient, so that targets and indices stay."""
    return [i for i in sorted(learner.reading.inputs) or [0] if inputs[i].dtype.kind == "f" and inputs[i].size]


def outputs(learner: Learner, inputs: tuple) -> list[np.ndarray]:
    """Return forward's outputs from the layer's start."""
    made = learner.forward(*inputs)
    return [np.array(y) for y in (made if isinstance(made, tuple) else (made,))]


def run(learner: Learner, inputs: tuple) -> None:
    """Run forward and backward from the layer's start."""
    learner.backward(*[g if g.ndim else float(g) for g in upstream(outputs(learner, inputs))])
