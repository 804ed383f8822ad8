"""Find the axis of a batch's examples by changing one of them: the first axis, or the columns."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.batches import longer
from parity_tests.diagnosis.reading.running import LearnerRaisedError


def axes(
    forward: Callable[..., object], inputs: tuple[np.ndarray, ...], data: list[int], default: int = 0
) -> list[int | None]:
    """Return the axis of the examples in each input, None for an input that all examples share, as weights are.

    An axis of the first input is that of the examples if changing the input at one index changes the output only at the
    same index of one of the output's axes. A column of a batch norm is independent of the others, too, but it is no
    example if there can be no more of them. Another input has an axis of examples if changing it acts on the same axis
    of an output. Where the output has no such axis (a loss), the examples lie along the axis that is as long in all of
    the ``data``, ``default`` where that leaves a choice or none: weights (5, 1), data (5, 4), targets (1, 4).
    """
    first = next(((at, out) for at, out in _pairs(forward, inputs, 0)), None)
    if first is not None and first[0] != default and _runs_longer_along(forward, inputs, default):
        first = first if _runs_longer_along(forward, inputs, first[0]) else None  # columns of a batch norm
    if first is None:
        lengths = [{inputs[i].shape[axis] if inputs[i].ndim > axis else None for i in data} for axis in range(2)]
        fits = [axis for axis in (default, 1 - default) if len(lengths[axis]) == 1 and not lengths[axis] & {None, 1}]
        along = fits[0] if fits else default
        count = next((inputs[i].shape[along] for i in data if inputs[i].ndim > along), 1)
        return [
            along if i in data and x.ndim > along and x.shape[along] == count else None for i, x in enumerate(inputs)
        ]
    found: list[int | None] = [first[0]]
    for index in range(1, len(inputs)):
        found.append(next((at for at, out in _pairs(forward, inputs, index) if out == first[1]), None))
    return found


def _pairs(forward: Callable[..., object], inputs: tuple[np.ndarray, ...], index: int) -> list[tuple[int, int]]:
    """Return the axes of an input that go with an axis of the first output; of other inputs than the first, of any."""
    x = inputs[index]
    before = _outputs(forward, inputs)
    found = []
    for axis in range(x.ndim) if x.dtype.kind in "fb" else ():
        at = (slice(None),) * axis + (0,)
        moved = np.array(x)
        moved[at] = moved[at] * 1.25 + 0.125 if x.dtype.kind == "f" else ~moved[at]
        after = _outputs(forward, (*inputs[:index], moved, *inputs[index + 1 :]))
        for base, output in list(zip(before, after, strict=True))[: None if index else 1]:
            if output.shape != base.shape:
                continue
            changed = np.argwhere(output != base)
            along = (n for n in range(base.ndim) if base.shape[n] == x.shape[axis] > 1)
            out = next((n for n in along if changed.size and not changed[:, n].any()), None)
            found += [(axis, out)] if out is not None else []
    return found


def _runs_longer_along(forward: Callable[..., object], inputs: tuple[np.ndarray, ...], axis: int) -> bool:
    if inputs[0].ndim <= axis:
        return False
    try:
        forward(*(longer(x, inputs[0].shape[axis], axis) for x in inputs))
    except LearnerRaisedError:
        return False
    return True


def _outputs(forward: Callable[..., object], inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    made = forward(*inputs)
    return [np.asarray(one) for one in (made if isinstance(made, tuple) else (made,))]
