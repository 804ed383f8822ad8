"""PReLU without branches, in reused memory."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.keep_where import keep_where


def prelu(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and its channel's slope times ``x`` elsewhere."""
    slope = weight[:, None]
    y = np.minimum(0.0, x, out=memory.empty_like(x))
    y *= slope
    y += np.maximum(0.0, x)
    return y, (x, slope, np.greater(x, 0.0))


def prelu_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `prelu`."""
    x, slope, positive = saved
    negative = np.logical_not(positive)
    product = np.multiply(grad_y, x, out=memory.empty_like(x))
    grad_weight = keep_where(negative, product).sum(axis=(0, 2))
    grad_x = keep_where(negative, grad_y)
    grad_x *= slope
    grad_x += keep_where(positive, grad_y)
    return grad_x, grad_weight
