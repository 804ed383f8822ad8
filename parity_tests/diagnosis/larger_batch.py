"""A larger batch: a backward that has the usual one's size written into it is right for that one alone."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.batches import MORE, longer
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import outputs, repeat
from parity_tests.harness.report import Quantity, Report


def compare(
    learner: Learner, theirs: Callable | None, inputs: tuple, seed: int, names: set[str]
) -> tuple[str, Report | None]:
    """Return what there is to say about a larger batch, and the report if the layer differs there.

    A layer that refuses another size is meant for one size, or the axis is not that of examples: that is no mistake.
    """
    axes = learner.example_axes(inputs)
    if axes[0] is None or not inputs[0].size:
        return "", None
    if max(x.ndim for x in inputs) < 2:  # a vector is one example, and one of two may be weights
        return "", None
    count = inputs[0].shape[axes[0]]
    larger = tuple(x if axis is None else longer(x, count, axis) for x, axis in zip(inputs, axes, strict=True))
    unsaid = f"note: a batch of {count + MORE} was not compared: "
    refusal = against.refusal(theirs, larger) if theirs is not None else ""
    if refusal:
        return f"{unsaid}PyTorch refuses it ({refusal})", None
    try:
        made = outputs(learner, larger)
        ends = [
            x.shape[axis] if axis is not None and x.ndim > axis else 0 for x, axis in zip(inputs, axes, strict=True)
        ]
        moved = outputs(learner, tuple(map(_moved_beyond, larger, axes, ends)))
    except LearnerRaisedError as error:
        return f"{unsaid}{learner.found.forward_name} does not run on it ({_last_line(error)})", None
    finally:
        learner.last = inputs
    if equal(made, moved):
        return f"{unsaid}{learner.found.forward_name} uses no more than {count} (channels, not examples?)", None
    try:
        report = repeat(learner, theirs, larger, seed, names)
    except LearnerRaisedError as error:
        return f"{unsaid}{learner.found.backward_name} does not run on it ({_last_line(error)})", None
    if not report.differs:
        return f"They agree on a batch of {count + MORE}, too.", None
    report.title += f", a batch of {count + MORE} instead of {count}"
    said = (
        f"right for a batch of {count} alone: is the size of the batch a fixed number? Take it from an array's shape"
        if all(_is_of_another_size(q, count) for q in report.wrong)
        else f"right for the batch of {count} before: does an index occur twice in this one, or is a length fixed?"
    )
    report.suspects = lambda _: [said]
    return "", report


def _is_of_another_size(wrong: Quantity, count: int) -> bool:
    """Return whether a gradient has a batch's size written into it: its shape, or a factor between the two sizes."""
    if wrong.fault or wrong.got.shape != wrong.expected.shape:
        return True
    return any(np.allclose(wrong.got * ratio, wrong.expected) for ratio in _ratios(count, count + MORE))


def _ratios(one: int, other: int) -> tuple[float, ...]:
    return one / other, other / one, (one / other) ** 2, (other / one) ** 2


def _moved_beyond(x: np.ndarray, axis: int | None, end: int) -> np.ndarray:
    """Return an input with other numbers in what was added to it; indices stay indices, in another order."""
    if axis is None or x.ndim <= axis:
        return x
    before, added = np.split(x, [end], axis)
    return np.concatenate([before, nudged(added) if x.dtype.kind == "f" else np.roll(added, 1, axis)], axis)


def _last_line(error: LearnerRaisedError) -> str:
    return str(error).splitlines()[-1]
