"""SELU and CELU without branches, in blocks that stay in the cache, like ELU."""

import functools

import numpy as np

from scratch.kernels.blocks import constant, times_slope, with_slope
from scratch.kernels.expm1 import expm1_and_slope_below
from scratch.kernels.relu import PASSES, exponential_unit

ALPHA = 1.6732632423543772
SCALE = 1.0507009873554805


def selu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``SCALE`` times ``x`` where it is positive, and times an exponential elsewhere."""
    return with_slope(_selu, x, PASSES)


def selu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `selu`."""
    return times_slope(grad_y, saved)


def celu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere that goes on with the same slope."""
    return with_slope(functools.partial(_celu, alpha=alpha), x, PASSES)


def celu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `celu`."""
    return times_slope(grad_y, saved)


def _selu(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    exponential_unit(x, y, slope, ALPHA)
    y *= SCALE
    slope *= SCALE


def _celu(x: np.ndarray, y: np.ndarray, slope: np.ndarray, alpha: float) -> None:
    z = np.minimum(x, constant(0.0, x))
    z /= alpha
    # alpha divides inside the exponential and multiplies outside it, so the slope is the exponential itself.
    if alpha > 0:
        expm1_and_slope_below(z, y, slope)
    else:
        np.expm1(z, out=y)
        np.exp(z, out=slope)
    y *= alpha
    y += np.maximum(x, constant(0.0, x), out=z)
