"""Mish with one exponential forward.

With u = exp(x), tanh(log(1 + u)) = ((1 + u)^2 - 1) / ((1 + u)^2 + 1) = n / (n + 2), where n = u (u + 2): no difference
of nearly equal numbers. From x = `CERTAIN` on the gate is 1 to the last digit of a float64, and u need not grow.
"""

import numpy as np

from scratch.kernels import memory

CERTAIN = 20.0


def mish(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the hyperbolic tangent of its softplus."""
    u = np.minimum(x, CERTAIN, out=memory.empty_like(x))
    np.exp(u, out=u)
    n = np.add(u, 2.0, out=memory.empty_like(x))
    n *= u
    gate = np.add(n, 2.0, out=u)
    np.divide(n, gate, out=gate)
    return np.multiply(x, gate, out=n), (x, gate)


def mish_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `mish`."""
    x, gate = saved
    grad_x = np.multiply(gate, gate, out=memory.empty_like(x))
    np.subtract(1.0, grad_x, out=grad_x)
    grad_x *= x
    sigmoid = np.negative(x, out=memory.empty_like(x))
    np.exp(sigmoid, out=sigmoid)
    sigmoid += 1.0
    grad_x /= sigmoid
    grad_x += gate
    grad_x *= grad_y
    return grad_x
