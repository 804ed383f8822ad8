"""ReLU, LeakyReLU, ELU without branches, in blocks that stay in the cache, on several threads."""

import functools

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import constant, elementwise, times_slope, with_slope
from scratch.kernels.expm1 import expm1_and_slope_below
from scratch.kernels.keep_where import keep_where

PASSES = 12  # for work with an exponential


def relu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the positive part of ``x``."""
    is_small = x.nbytes < memory.SMALLEST and x.ndim < 4
    y = _positive_part(x) if is_small else elementwise(_positive_part, x, passes=2)[0]
    return y, (y,)


def relu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `relu`."""
    (y,) = saved
    if y.nbytes < memory.SMALLEST:
        return keep_where(np.not_equal(y, 0.0), grad_y)
    grad_x = memory.empty_like(grad_y)
    threads.each_part(_keep_where_not_zero, y, grad_y, grad_x)
    return grad_x


def _positive_part(x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    # np.maximum(0.0, -0.0) returns its second argument. With the operands in this order -0.0 stays -0.0, as in PyTorch.
    # An array of zeros is faster than the number 0.
    return np.maximum(constant(0.0, x), x, out=y)


def _keep_where_not_zero(y: np.ndarray, grad_y: np.ndarray, grad_x: np.ndarray) -> None:
    keep_where(np.not_equal(y, 0.0), grad_y, out=grad_x)


def leaky_relu(x: np.ndarray, negative_slope: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and ``negative_slope`` times ``x`` elsewhere."""
    work = functools.partial(_leaky_relu, negative_slope=negative_slope)
    return with_slope(work, x, 4)


def leaky_relu_backward(grad_y: np.ndarray, negative_slope: float, saved: tuple) -> np.ndarray:
    """Undo `leaky_relu`."""
    return times_slope(grad_y, saved)


def elu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere."""
    return with_slope(functools.partial(exponential_unit, alpha=alpha), x, PASSES)


def elu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `elu`."""
    return times_slope(grad_y, saved)


def exponential_unit(x: np.ndarray, y: np.ndarray, slope: np.ndarray, alpha: float) -> None:
    """Write ELU and its slope, of an array with one axis."""
    z = np.minimum(x, constant(0.0, x))
    expm1_and_slope_below(z, y, slope)
    y *= alpha
    y += np.maximum(x, constant(0.0, x), out=z)
    if alpha != 1:
        slope *= alpha
        positive = np.greater(x, 0.0)
        slope *= np.logical_not(positive)
        slope += positive


def _leaky_relu(x: np.ndarray, y: np.ndarray, slope: np.ndarray, negative_slope: float) -> None:
    np.minimum(x, constant(0.0, x), out=y)
    y *= negative_slope
    y += np.maximum(x, constant(0.0, x), out=slope)
    positive = np.greater(x, 0.0)
    np.multiply(np.logical_not(positive), x.dtype.type(negative_slope), out=slope)
    slope += positive
