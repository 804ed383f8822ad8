"""SELU and CELU without branches, in reused memory, as ELU is."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.keep_where import keep_where

ALPHA = 1.6732632423543772
SCALE = 1.0507009873554805


def selu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``SCALE`` times ``x`` where it is positive, and times an exponential elsewhere."""
    e = np.minimum(0.0, x, out=memory.empty_like(x))
    np.expm1(e, out=e)
    y = np.multiply(e, ALPHA, out=memory.empty_like(x))
    y += np.maximum(0.0, x)
    y *= SCALE
    return y, (np.greater(x, 0.0), e)


def selu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `selu`."""
    positive, e = saved
    grad_x = keep_where(np.logical_not(positive), grad_y)
    grad_x *= ALPHA
    grad_x *= np.add(e, 1.0, out=memory.empty_like(e))
    grad_x += keep_where(positive, grad_y)
    grad_x *= SCALE
    return grad_x


def celu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere that goes on with the same slope."""
    e = np.minimum(0.0, x, out=memory.empty_like(x))
    e /= alpha
    np.expm1(e, out=e)
    y = np.multiply(e, alpha, out=memory.empty_like(x))
    y += np.maximum(0.0, x)
    return y, (np.greater(x, 0.0), e)


def celu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `celu`: the two factors alpha cancel."""
    positive, e = saved
    grad_x = keep_where(np.logical_not(positive), grad_y)
    grad_x *= np.add(e, 1.0, out=memory.empty_like(e))
    grad_x += keep_where(positive, grad_y)
    return grad_x
