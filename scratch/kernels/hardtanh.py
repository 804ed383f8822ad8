"""Hardtanh and ReLU6 in two passes through memory, without branches."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.keep_where import keep_where


def hardtanh(x: np.ndarray, min_val: float, max_val: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` within the bounds, and the nearer bound elsewhere."""
    y = np.clip(x, min_val, max_val, out=memory.empty_like(x))
    return y, (y,)


def hardtanh_backward(grad_y: np.ndarray, min_val: float, max_val: float, saved: tuple) -> np.ndarray:
    """Undo `hardtanh`."""
    (y,) = saved
    inside = np.greater(y, min_val)
    inside &= np.less(y, max_val)
    return keep_where(inside, grad_y)
