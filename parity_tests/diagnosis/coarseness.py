"""Weights small enough for finite differences: with larger ones a probability is nearly 0 or 1, and 1 - p is rounded.

The bound of finite differences presumes that a loss is right up to a few roundings of itself. Where that is not so, the
weights are halved before anything is compared; or the inputs, where there are no weights, or where a whole array is
rounded, as log(1 - tanh(x)^2) is, if it is off by many. Weights are halved, too, where a logarithm's guard decides,
such as a clip of the probability: backward is that of the loss without it.
"""

from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.left_out import LARGEST
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.read import differentiates
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.wider import smallest_logarithm
from parity_tests.harness.arrays import array
from scratch.gradcheck import UNIT_ROUNDOFF

STEP = 2.0**-17
"""So small that fourth differences show nothing but rounding."""
POINTS = 24
ROUNDINGS = 4
"""How many roundings of itself a loss may be off, on average."""
MANY_ROUNDINGS = 64
"""The same of an array, and of a function without weights: their numbers stay as they are, unless it helps a lot."""
HALVINGS = 4


def smaller_weights(
    learner: Learner, inputs: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]
) -> tuple[tuple[np.ndarray, ...], str]:
    """Halve a network's weights until its loss is smooth enough on two batches; return the inputs, and what to say.

    Weights may be among the inputs. Where smaller numbers do not help, they stay as they are.
    """
    weights = [i for i in learner.reading.inputs if i not in learner.data(inputs)]
    start = {name: parameter.data.copy() for name, parameter in learner.parameters.items()}
    is_network = np.ndim(learner.outputs[0]) == 0 and bool(start or weights)
    what, result = ("weights", "loss") if is_network else ("numbers", "result")
    limit = ROUNDINGS if is_network else MANY_ROUNDINGS
    halved = weights if is_network else list(learner.reading.inputs)
    why = ""
    for halvings in range(HALVINGS + 1):
        share = 0.5**halvings
        for name, parameter in learner.parameters.items():
            parameter.data = share * start[name]
        batches = [tuple(share * x if i in halved else x for i, x in enumerate(one)) for one in (inputs, other)]
        if any(_is_coarse(learner, one, limit) for one in batches):
            why = f"rounding decides the {result}'s last digits"
        elif is_network and any(guard_decides(learner, one) for one in batches):
            why = "a logarithm's guard decides what the loss is"
        else:
            learner.forward(*batches[0])
            said = f"the {what} were divided by {2**halvings}: with larger ones, {why}"
            return batches[0], said * bool(halvings)
    for name, parameter in learner.parameters.items():
        parameter.data = start[name]
    learner.forward(*inputs)
    return inputs, ""


def decides_nothing(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether rounding or a logarithm's guard decides what a network's loss is."""
    return np.ndim(learner.outputs[0]) == 0 and (
        _is_coarse(learner, inputs, ROUNDINGS) or guard_decides(learner, inputs)
    )


def guard_decides(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether forward cuts off nearly 0 before it takes a logarithm, and backward is not its derivative there.

    What is cut off stays the same number for other weights.
    """
    smallest = smallest_logarithm(learner, inputs)
    if smallest is None or smallest > LARGEST or differentiates(learner, inputs):
        return False
    starts = {name: parameter.data for name, parameter in learner.parameters.items()}
    try:
        for i, (name, values) in enumerate(starts.items()):
            learner.parameters[name].data = values + STEP * array(values.shape, seed=i)
        return smallest_logarithm(learner, inputs) == smallest
    finally:
        for name, values in starts.items():
            learner.parameters[name].data = values
        learner.forward(*inputs)


def _is_coarse(learner: Learner, inputs: tuple[np.ndarray, ...], limit: int) -> bool:
    try:
        found = np.array(list(_results(learner, inputs)))
    except LearnerRaisedError:
        return False
    # The binomial coefficients' norm is what independent roundings are multiplied by; the median leaves out a kink.
    noise = np.median(np.abs(np.diff(found, 4, axis=0)), axis=0) / np.sqrt(70) / 0.6745
    size = np.abs(found).max(initial=0)
    if found.ndim > 1:  # small differences are rounded as what they are differences of
        size = max(size, *(np.abs(x).max(initial=0) for x in inputs))
    return bool((noise > limit * UNIT_ROUNDOFF * size).any())


def _results(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Iterator[np.ndarray]:
    """Yield the loss, or a layer's first output, along a line through the weights and the inputs."""
    starts = {name: parameter.data for name, parameter in learner.parameters.items()}
    along = {name: array(values.shape, seed=i) for i, (name, values) in enumerate(starts.items())}
    try:
        for number in range(POINTS):
            for name, parameter in learner.parameters.items():
                parameter.data = starts[name] + number * STEP * along[name]
            moved = [
                x + number * STEP * array(x.shape, seed=i) if i in learner.reading.inputs and x.dtype.kind == "f" else x
                for i, x in enumerate(inputs)
            ]
            made = learner.forward(*moved)
            yield np.asarray(made[0] if isinstance(made, tuple) else made)
    finally:
        for name, parameter in learner.parameters.items():
            parameter.data = starts[name]
