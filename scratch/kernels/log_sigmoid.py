"""LogSigmoid in blocks that stay in the cache; forward computes the slope as well, from the same exponential."""

import numpy as np

from scratch.kernels.blocks import constant, times_slope, with_slope
from scratch.kernels.log1p import log1p_and_sigmoid

PASSES = 14


def log_sigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the sigmoid of ``x``: min(0, x) - log(1 + exp(-|x|))."""
    return with_slope(_log_sigmoid, x, PASSES)


def log_sigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `log_sigmoid`."""
    return times_slope(grad_y, saved)


def _log_sigmoid(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    reflected = np.negative(x)
    log1p_and_sigmoid(reflected, y, slope)  # the slope is the sigmoid of -x
    np.maximum(reflected, constant(0.0, x), out=reflected)
    y += reflected
    np.negative(y, out=y)
