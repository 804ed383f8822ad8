"""Kinks and ties, where the derivative is a choice: which choices are valid, and what no choice allows."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.harness import arrays
from parity_tests.harness.report import AGAIN, Report

STEP = 2.0**-20


def shares(learner: Learner, theirs: Callable, inputs: tuple[np.ndarray, ...], report: Report) -> str:
    """Return a note if all that differs is how equal maxima share the gradient, and the choice is a valid one."""
    wrong = [q for q in report.wrong if not q.name.endswith(AGAIN)]
    if report.faults or len(wrong) != 1 or not wrong[0].name.startswith("grad_input") or wrong[0].fault:
        return ""
    x, different = inputs[0], wrong[0].different
    if different.shape != x.shape or not (different & (x != 0)).any():
        return ""
    values, counts = np.unique(x, return_counts=True)
    if (different & ~np.isin(x, values[counts > 1])).any() or not _is_subgradient(learner, inputs):
        return ""
    return (
        "note: equal maxima share the gradient differently than in PyTorch, which gives all of it to the first. Both "
        "are valid subgradients: at a tie there is no derivative"
    )


def _is_subgradient(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    # A subgradient of a convex function: along any direction it is at most the one-sided slope.
    base = learner.forward(*inputs)
    grad = np.abs(arrays.array(base.shape, seed=3))
    found = learner.backward(grad)
    found = found[0] if isinstance(found, tuple) else found
    rng = np.random.default_rng(0)
    for number in range(40):
        along = np.ones(inputs[0].shape) * (-1.0) ** number if number < 2 else rng.normal(size=inputs[0].shape)
        moved = learner.forward(inputs[0] + STEP * along, *inputs[1:])
        slope = (grad * (moved - base)).sum() / STEP
        if (found * along).sum() > slope + 1e-6 * (1 + abs(slope)):
            return False
    return True


def paid_twice(learner: Learner, inputs: tuple[np.ndarray, ...]) -> str:
    """Return what to say if the gradient at ties does not add up, along the direction in which all ties stay ties."""
    x = inputs[0]
    if x.dtype.kind != "f" or not x.size:
        return ""
    tied = (arrays.tied(x.shape, seed=1), *inputs[1:])
    try:
        base = learner.forward(*tied)
        if isinstance(base, tuple):
            return ""
        grad = arrays.array(base.shape, seed=3)
        found = learner.backward(float(grad) if grad.ndim == 0 else grad)
        found = found[0] if isinstance(found, tuple) else found
        if found is None or found.shape != x.shape:
            return ""
        slopes = []
        for step in (STEP, -STEP):
            moved = learner.forward(tied[0] + step, *tied[1:])
            slopes.append((grad * (moved - base)).sum() / step)
    except LearnerRaisedError:
        return ""
    size = np.abs(found).sum() + 1
    smooth = np.isfinite(slopes).all() and abs(slopes[0] - slopes[1]) < 1e-3 * size
    if not smooth or abs(found.sum() - np.mean(slopes)) < 1e-3 * size:
        return ""
    return (
        f"on numbers with ties, the gradient does not add up: moving all inputs together changes the output by "
        f"{np.mean(slopes):.6g} per unit, and the gradient's sum is {found.sum():.6g}. Does each of several "
        "equal maxima get the full gradient? Give it to one, or split it"
    )
