"""A forward that rounds what it gives, or what it gets, to float32: finite differences need float64."""

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.running import LearnerRaisedError

WORDS = (
    "forward gives float32 numbers, too coarse for finite differences: compute in the input's dtype, here float64, "
    "such as x.dtype instead of np.float32 (or compare in float32 with --against, if PyTorch has the layer: there is "
    "no other comparison in float32)"
)


def is_rounded(layer: object, outputs: list[np.ndarray], inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether the outputs are float32 numbers though the inputs are not, or are those of rounded inputs."""
    with np.errstate(over="ignore"):
        short = [np.array_equal(x, x.astype(np.float32)) and (x % 1).any() for x in outputs if x.dtype.kind == "f"]
        rounded = [x.astype(np.float32).astype(x.dtype) if x.dtype.kind == "f" else x for x in inputs]
    if equal(list(inputs), rounded):
        return False
    return all(short) or (isinstance(layer, Learner) and _is_blind_to(rounded, layer, inputs))


def _is_blind_to(others: list[np.ndarray], learner: Learner, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether the layer gives the same on other inputs, but not on those a little further away."""

    def made(*values: np.ndarray) -> list[np.ndarray]:
        learner.forward(*values)
        return list(learner.outputs)

    try:
        usual = made(*inputs)
        further = [nudged(x) if x.dtype.kind == "f" else x for x in inputs]
        return equal(usual, made(*others)) and not equal(usual, made(*further))
    except LearnerRaisedError:
        return False
