"""Higher or wider images, and longer sequences: backward may be right for squares, or for one length, alone."""

import contextlib
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

    Of a loss, those are made longer that the target has, too: pixels, or steps. Classes cannot be added.
    """
    agreed = []
    for larger in _larger(learner, theirs, inputs):
        try:
            report = repeat(learner, theirs, larger, seed, names)
        except LearnerRaisedError:
            continue  # meant for one size
        if report.differs and (lengths := _lengths(learner, inputs, larger)):
            with _said_anew(learner, lengths):
                report = repeat(learner, theirs, larger, seed, names)
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
    if x.ndim < 3 or not x.size:
        return
    examples = learner.example_axes(inputs)[0]
    is_loss = all(y.ndim == 0 for y in outputs(learner, inputs))
    for axis in [axis for axis in range(x.ndim) if axis != examples]:
        if is_loss and not _is_of_target(inputs, axis):
            continue
        axes = [_axis_of(one, x, axis) if is_loss else axis for one in inputs]
        for by in STEPS:
            pairs = zip(inputs, axes, strict=True)
            larger = tuple(one if at is None else longer(one, x.shape[axis], at, by) for one, at in pairs)
            if _runs(learner, larger) and not (theirs is not None and against.refusal(theirs, larger)):
                yield larger
                break


def _lengths(learner: Learner, inputs: tuple, larger: tuple) -> dict[str, int]:
    """Return the numbers in ``--args`` that backward alone takes and that are the length of the axis, as it is now."""
    fronts = [p.name for p in learner.found.parameters(learner.found.forward)]
    (old, new), *_ = [pair for pair in zip(inputs[0].shape, larger[0].shape, strict=True) if pair[0] != pair[1]]
    extras = learner.plan.options.extras
    return {name: new for name, value in extras.items() if type(value) is int and value == old and name not in fronts}


@contextlib.contextmanager
def _said_anew(learner: Learner, lengths: dict[str, int]) -> Iterator[None]:
    extras = learner.plan.options.extras
    learner.world.restore()
    before = {name: extras[name] for name in lengths}
    extras.update(lengths)
    try:
        with learner.world.starting_here():
            yield
    finally:
        extras.update(before)


def _is_of_target(inputs: tuple, axis: int) -> bool:
    """Return whether another input has an axis of a prediction, too, and no probabilities are along it."""
    x, *others = inputs
    shares = any(one.shape == x.shape and np.allclose(one.sum(axis), 1) for one in inputs)
    return not shares and any(_axis_of(one, x, axis) is not None for one in others)


def _axis_of(one: np.ndarray, x: np.ndarray, axis: int) -> int | None:
    """Return a prediction's axis in an input of its shape, or in one that has classes for the second or last axis."""
    if one.shape == x.shape:
        return axis
    for classes in (1, x.ndim - 1):
        if classes != axis and one.shape == x.shape[:classes] + x.shape[classes + 1 :]:
            return axis - (axis > classes)
    return None


def _runs(learner: Learner, inputs: tuple) -> bool:
    try:
        outputs(learner, inputs)
    except LearnerRaisedError:
        return False
    return True
