"""GELU in blocks that stay in the cache; forward computes the slope as well, which costs little beside the gate."""

import math

import numpy as np

from scratch.kernels.blocks import times_slope, with_slope
from scratch.kernels.normal_distribution import PASSES, cdf_and_density

CUBIC = 0.044715
SLOPE = 2 * math.sqrt(2 / math.pi)


def gelu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times Phi(x)."""
    return with_slope(_gelu, x, PASSES)


def gelu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu`."""
    return times_slope(grad_y, saved)


def gelu_tanh(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times an approximation of Phi(x) by a tanh."""
    return with_slope(_gelu_tanh, x, PASSES)


def gelu_tanh_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu_tanh`."""
    return times_slope(grad_y, saved)


def _gelu(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    gate = y
    cdf_and_density(x, gate, slope)
    slope *= x
    slope += gate
    np.multiply(x, gate, out=y)


def _gelu_tanh(x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> None:
    square = np.multiply(x, x)
    gate = np.multiply(square, -SLOPE * CUBIC, out=y)
    gate -= SLOPE
    gate *= x
    np.exp(gate, out=gate)
    gate += 1.0
    np.reciprocal(gate, out=gate)
    square *= 3 * SLOPE * CUBIC
    square += SLOPE
    square *= gate
    square *= np.subtract(1.0, gate, out=slope)
    square *= x
    np.add(square, gate, out=slope)
    np.multiply(x, gate, out=y)
