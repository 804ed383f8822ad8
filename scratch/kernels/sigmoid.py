"""Sigmoid, SiLU and Softplus in blocks that stay in the cache, on several threads.

The forwards of SiLU and Softplus compute the slope as well, from the same exponential.
"""

import numpy as np

from scratch.kernels.blocks import constant, elementwise, times_slope, with_slope
from scratch.kernels.keep_where import keep_where
from scratch.kernels.log1p import log1p_and_sigmoid

PASSES = 10


def sigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return 1 / (1 + exp(-x))."""
    (y,) = elementwise(_sigmoid, x, passes=PASSES)
    return y, (y,)


def sigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `sigmoid`."""
    (y,) = saved
    return elementwise(_sigmoid_backward, y, grad_y, passes=2)[0]


def tanh(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the hyperbolic tangent of ``x``."""
    (y,) = elementwise(np.tanh, x, passes=PASSES)
    return y, (y,)


def tanh_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `tanh`."""
    (y,) = saved
    return elementwise(_tanh_backward, y, grad_y, passes=2)[0]


def silu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times its sigmoid."""
    return with_slope(_silu, x, PASSES)


def silu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `silu`."""
    return times_slope(grad_y, saved)


def softplus(x: np.ndarray, beta: float, threshold: float) -> tuple[np.ndarray, tuple]:
    """Return log(1 + exp(beta x)) / beta, and ``x`` where beta x is above the threshold."""

    def work(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
        z = x * beta
        linear = np.greater(z, threshold)
        log1p_and_sigmoid(z, y, slope)
        np.maximum(z, constant(0.0, z), out=z)
        y += z
        y /= beta
        keep_where(np.logical_not(linear), y, out=y)
        y += keep_where(linear, x, out=z)
        np.maximum(slope, linear, out=slope)  # 1 where linear

    return with_slope(work, x, 2 * PASSES)


def softplus_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softplus`."""
    return times_slope(grad_y, saved)


def _sigmoid(x: np.ndarray, y: np.ndarray) -> None:
    np.negative(x, out=y)
    np.exp(y, out=y)
    y += 1.0
    np.reciprocal(y, out=y)


def _sigmoid_backward(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
    np.subtract(1.0, y, out=grad_x)
    grad_x *= y
    grad_x *= grad_y


def _tanh_backward(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
    np.multiply(y, y, out=grad_x)
    np.subtract(1.0, grad_x, out=grad_x)
    grad_x *= grad_y


def _silu(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    _sigmoid(x, slope)
    np.multiply(x, slope, out=y)
    factor = np.subtract(1.0, slope)
    factor *= x
    factor += 1.0
    slope *= factor
