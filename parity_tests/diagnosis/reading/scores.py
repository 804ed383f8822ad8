"""Scores that forward returns beside their probabilities: the error p - y is the gradient of the scores."""

import re

import numpy as np

ERRORS = re.compile(r"^(e|ei|errs?|errors?|error_\w+|\w+_errors?|deltas?|delta_\w+|\w+_delta|diff|residuals?)$", re.I)
"""What an argument of backward is called that gets the difference of prediction and target."""


def probabilities(values: list, floating: list[int], scores: int) -> tuple[int, ...]:
    """Return which of the values are the softmax or the sigmoid of one of them."""
    return tuple(i for i in floating if i != scores and _is_of(np.asarray(values[i]), np.asarray(values[scores])))


def _is_of(p: np.ndarray, z: np.ndarray) -> bool:
    if p.shape != z.shape or not z.ndim or not np.isfinite(z).all():
        return False
    powers = [np.exp(z - z.max(axis, keepdims=True)) for axis in range(z.ndim)]
    found = [one / one.sum(axis, keepdims=True) for axis, one in enumerate(powers)]
    return any(np.allclose(p, one, rtol=1e-4, atol=1e-6) for one in (*found, 1 / (1 + np.exp(-z))))
