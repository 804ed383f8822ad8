"""GELU in place: the slope is worked out in one array."""

import math

import numpy as np

from scratch.kernels import memory
from scratch.kernels.normal_distribution import normal_cdf, normal_density

CUBIC = 0.044715
SLOPE = 2 * math.sqrt(2 / math.pi)


def gelu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times Phi(x)."""
    gate = normal_cdf(x)
    y = np.multiply(x, gate, out=memory.empty_like(x))
    return y, (x, gate)


def gelu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu`."""
    x, gate = saved
    grad_x = normal_density(x)
    grad_x *= x
    grad_x += gate
    grad_x *= grad_y
    return grad_x


def gelu_tanh(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times an approximation of Phi(x) by a tanh."""
    gate = np.multiply(x, x, out=memory.empty_like(x))
    gate *= -SLOPE * CUBIC
    gate -= SLOPE
    gate *= x
    np.exp(gate, out=gate)
    gate += 1.0
    np.reciprocal(gate, out=gate)
    y = np.multiply(x, gate, out=memory.empty_like(x))
    return y, (x, gate)


def gelu_tanh_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu_tanh`."""
    x, gate = saved
    grad_x = np.multiply(x, x, out=memory.empty_like(x))
    grad_x *= 3 * SLOPE * CUBIC
    grad_x += SLOPE
    grad_x *= gate
    grad_x *= 1.0 - gate
    grad_x *= x
    grad_x += gate
    grad_x *= grad_y
    return grad_x
