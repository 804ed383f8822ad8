"""Weights small enough for finite differences: with larger ones a probability is nearly 0 or 1, and 1 - p is rounded.

The bound of finite differences presumes that a loss is right up to a few roundings of itself. Where that is not so, the
weights are halved before anything is compared.
"""

from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.harness.arrays import array
from scratch.gradcheck import UNIT_ROUNDOFF

STEP = 2.0**-17
"""So small that fourth differences show nothing but rounding."""
POINTS = 24
ROUNDINGS = 4
"""How many roundings of itself a loss may be off, on average."""
HALVINGS = 4


def smaller_weights(
    learner: Learner, inputs: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]
) -> tuple[tuple[np.ndarray, ...], str]:
    """Halve a network's weights until its loss is smooth enough on two batches; return the inputs, and what to say.

    Weights may be among the inputs. Where smaller ones do not help, they stay as they are.
    """
    weights = [i for i in learner.reading.inputs if i not in learner.data(inputs)]
    start = {name: parameter.data.copy() for name, parameter in learner.parameters.items()}
    if not start and not weights:
        return inputs, ""
    for halvings in range(HALVINGS + 1):
        share = 0.5**halvings
        for name, parameter in learner.parameters.items():
            parameter.data = share * start[name]
        batches = [tuple(share * x if i in weights else x for i, x in enumerate(one)) for one in (inputs, other)]
        if not any(_is_coarse(learner, one) for one in batches):
            learner.forward(*batches[0])
            said = (
                f"the weights were divided by {2**halvings}: with larger ones, rounding decides the loss's last digits"
            )
            return batches[0], said * bool(halvings)
    for name, parameter in learner.parameters.items():
        parameter.data = start[name]
    learner.forward(*inputs)
    return inputs, ""


def _is_coarse(learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    try:
        found = np.array(list(_losses(learner, inputs)))
    except LearnerRaisedError:
        return False
    # The binomial coefficients' norm is what independent roundings are multiplied by; the median leaves out a kink.
    noise = np.median(np.abs(np.diff(found, 4))) / np.sqrt(70) / 0.6745 if found.ndim == 1 else 0.0
    return bool(noise > ROUNDINGS * UNIT_ROUNDOFF * np.abs(found).max())


def _losses(learner: Learner, inputs: tuple[np.ndarray, ...]) -> Iterator[np.ndarray]:
    """Yield the loss along a line through the weights and the inputs."""
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
            yield np.asarray(learner.forward(*moved))
    finally:
        for name, parameter in learner.parameters.items():
            parameter.data = starts[name]
