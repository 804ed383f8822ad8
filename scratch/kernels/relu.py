"""ReLU, LeakyReLU, ELU in passes through memory: no branches, reused memory; ReLU on several threads."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import BLOCK_BYTES, elementwise
from scratch.kernels.keep_where import keep_where

_ZEROS = {np.dtype(dtype): np.zeros(BLOCK_BYTES // dtype().itemsize, dtype) for dtype in (np.float32, np.float64)}


def relu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the positive part of ``x``."""
    (y,) = elementwise(_positive_part, x)
    return y, (y,)


def relu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `relu`."""
    (y,) = saved
    grad_x = memory.empty_like(grad_y)
    threads.each_part(_keep_where_not_zero, y, grad_y, grad_x)
    return grad_x


def _positive_part(x: np.ndarray, y: np.ndarray) -> None:
    # Of two equal zeros np.maximum returns the second: in this order -0.0 stays -0.0, as in PyTorch. An array of zeros
    # is quicker there than the number 0.
    np.maximum(_ZEROS[x.dtype][: len(x)], x, out=y)


def _keep_where_not_zero(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
    keep_where(np.not_equal(y, 0.0), grad_y, out=grad_x)


def leaky_relu(x: np.ndarray, negative_slope: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and ``negative_slope`` times ``x`` elsewhere."""
    y = np.minimum(0.0, x, out=memory.empty_like(x))
    y *= negative_slope
    y += np.maximum(0.0, x)
    return y, (np.greater(x, 0.0),)


def leaky_relu_backward(grad_y: np.ndarray, negative_slope: float, saved: tuple) -> np.ndarray:
    """Undo `leaky_relu`."""
    (positive,) = saved
    grad_x = keep_where(np.logical_not(positive), grad_y)
    grad_x *= negative_slope
    grad_x += keep_where(positive, grad_y)
    return grad_x


def elu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere."""
    e = np.minimum(0.0, x, out=memory.empty_like(x))
    np.expm1(e, out=e)
    y = np.multiply(e, alpha, out=memory.empty_like(x))
    y += np.maximum(0.0, x)
    return y, (np.greater(x, 0.0), e)


def elu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `elu`."""
    positive, e = saved
    grad_x = keep_where(np.logical_not(positive), grad_y)
    grad_x *= alpha
    grad_x *= np.add(e, 1.0, out=memory.empty_like(e))
    grad_x += keep_where(positive, grad_y)
    return grad_x
