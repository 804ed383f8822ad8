"""Hardtanh and ReLU6 without branches, on several threads."""

import numpy as np

from scratch.kernels.blocks import elementwise
from scratch.kernels.keep_where import keep_where


def hardtanh(x: np.ndarray, min_val: float, max_val: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` within the bounds, and the nearer bound elsewhere."""
    (y,) = elementwise(lambda x, y: np.clip(x, min_val, max_val, out=y), x)
    return y, (y,)


def hardtanh_backward(grad_y: np.ndarray, min_val: float, max_val: float, saved: tuple) -> np.ndarray:
    """Undo `hardtanh`."""

    def work(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
        inside = np.greater(y, min_val)
        inside &= np.less(y, max_val)
        keep_where(inside, grad_y, out=grad_x)

    (y,) = saved
    return elementwise(work, y, grad_y)[0]
