"""Mish with one exponential, in blocks that stay in the cache; forward computes the slope as well.

With u = exp(x), tanh(log(1 + u)) = ((1 + u)^2 - 1) / ((1 + u)^2 + 1) = n / (n + 2), where n = u (u + 2), without a
difference of nearly equal numbers. From x = `CERTAIN` on the gate is 1 to the last digit of a float64, so u is capped
there.
"""

import numpy as np

from scratch.kernels.blocks import constant, times_slope, with_slope

CERTAIN = 20.0
PASSES = 12


def mish(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the hyperbolic tangent of its softplus."""
    return with_slope(_mish, x, PASSES)


def mish_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `mish`."""
    return times_slope(grad_y, saved)


def _mish(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    u = np.minimum(x, constant(CERTAIN, x))
    np.exp(u, out=u)
    gate = np.add(u, 2.0, out=y)
    gate *= u
    gate /= np.add(gate, 2.0, out=slope)
    np.multiply(gate, gate, out=slope)
    np.subtract(1.0, slope, out=slope)
    slope *= x
    slope *= u
    u += 1.0
    slope /= u  # times the sigmoid, u / (1 + u)
    slope += gate
    np.multiply(x, gate, out=y)
