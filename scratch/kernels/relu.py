"""ReLU in passes through memory: no branches, reused memory, large arrays on several threads."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.keep_where import keep_where


def relu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the positive part of ``x``."""
    y = memory.empty_like(x)
    threads.each_part(_positive_part, x, y)
    return y, (y,)


def relu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `relu`."""
    (y,) = saved
    grad_x = memory.empty_like(grad_y)
    threads.each_part(_keep_where_not_zero, y, grad_y, grad_x)
    return grad_x


def _positive_part(x: np.ndarray, y: np.ndarray) -> None:
    # Of two equal zeros np.maximum returns the second: in this order -0.0 stays -0.0, as in PyTorch. An array of zeros
    # is quicker there than the number 0, and y is one that costs no memory.
    y[...] = 0
    np.maximum(y, x, out=y)


def _keep_where_not_zero(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
    keep_where(np.not_equal(y, 0.0), grad_y, out=grad_x)
