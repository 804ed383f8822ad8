"""Dropout in reused memory."""

import numpy as np

from scratch.kernels import memory


def dropout(x: np.ndarray, draw: np.ndarray, p: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where ``draw`` is 1, scaled up, and 0 where it is 0."""
    # Every number of draw is 0 or 1, so multiplying by 1 / (1 - p) gives the quotient to the last bit.
    scale = draw.dtype.type(1) / draw.dtype.type(1 - p) if p < 1 else draw.dtype.type(1)
    factor = np.multiply(draw, scale, out=memory.empty_like(draw))
    y = np.multiply(x, factor, out=memory.empty_like(x))
    return y, (factor,)


def dropout_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `dropout`."""
    (factor,) = saved
    like = factor if factor.shape == grad_y.shape else grad_y  # a factor for each channel broadcasts
    return np.multiply(grad_y, factor, out=memory.empty_like(like))
