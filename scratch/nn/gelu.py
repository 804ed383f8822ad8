r"""GELU: the input times the probability that a standard normal number lies below it.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x, y  input, output           Phi     the normal distribution function
    gate  Phi(x), or nearly so    Phi'    its derivative, the density exp(-x^2 / 2) / sqrt(2 pi)

gelu, for ``approximate="none"``
    F1  gate = Phi(x)                                      (...)
    F2  y = x gate                                         (...)
    B1  grad_x = grad_y (gate + x Phi'(x))                 (...)   F2 and F1: x is used twice, and the product rule adds

gelu_tanh, for ``approximate="tanh"``: Phi by a tanh, (1 + tanh(u)) / 2, which is the sigmoid of v = 2 u
    F1  v = SLOPE x (1 + CUBIC x^2)                        (...)   SLOPE = 2 sqrt(2 / pi), CUBIC = 0.044715
    F2  gate = 1 / (1 + exp(-v))                           (...)
    F3  y = x gate                                         (...)
    B1  grad_x = grad_y (gate + x gate (1 - gate)
                                SLOPE (1 + 3 CUBIC x^2))   (...)   F3, F2 and F1: x is used twice, and the product rule
                                                                   adds; the chain rule makes gate' of the sigmoid's
                                                                   derivative, gate (1 - gate), and of v's

As in PyTorch, minus infinity times zero is NaN: y is NaN at -inf, and so is the gradient at both infinities.

Differs from PyTorch in the left tail: PyTorch computes (1 + erf(x / sqrt(2))) / 2 and (1 + tanh(u)) / 2, which are
differences of nearly equal numbers; below x = -8, where y is smaller than 1e-14, at most two of their digits are right,
and soon none. Phi from `scratch.nn.normal_distribution`, and the sigmoid, stay accurate.

Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, section 2. PyTorch's counterpart: ``torch.nn.GELU``.
"""

import math

import numpy as np

from scratch.dispatch import Pair
from scratch.nn.layer import Layer
from scratch.nn.normal_distribution import normal_cdf, normal_density

CUBIC = 0.044715
SLOPE = 2 * math.sqrt(2 / math.pi)


def gelu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times Phi(x)."""
    gate = normal_cdf(x)  # F1 (...)
    y = x * gate  # F2 (...)
    return y, (x, gate)


def gelu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu`."""
    x, gate = saved
    grad_x = grad_y * (gate + x * normal_density(x))  # B1 (...)
    return grad_x


def gelu_tanh(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the tanh approximation of Phi(x)."""
    v = SLOPE * x * (1 + CUBIC * x**2)  # F1 (...)
    gate = 1 / (1 + np.exp(-v))  # F2 (...)
    y = x * gate  # F3 (...)
    return y, (x, gate)


def gelu_tanh_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `gelu_tanh`."""
    x, gate = saved
    grad_x = grad_y * (gate + x * gate * (1 - gate) * SLOPE * (1 + 3 * CUBIC * x**2))  # B1 (...)
    return grad_x


class GELU(Layer):
    """A smooth curve between 0 and the input; any shape. The slope is negative left of -0.75.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Whether the normal distribution function is exact or approximated with a tanh.

    Raises
    ------
    RuntimeError
        If ``approximate`` is neither.

    Examples
    --------
    >>> layer = GELU()
    >>> layer(np.array([-1.0, 0.0, 1.0, 1e4])).round(6)
    array([-1.58655e-01,  0.00000e+00,  8.41345e-01,  1.00000e+04])
    >>> layer.backward(np.array([1.0, 2.0, 3.0, 4.0])).round(6)
    array([-0.083315,  1.      ,  3.249946,  4.      ])
    """

    functions = gelu, gelu_backward
    functions_with_tanh = gelu_tanh, gelu_tanh_backward

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise RuntimeError(f"GELU: expected approximate to be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the exact pair, or the approximate one."""
        return self.functions if self.approximate == "none" else self.functions_with_tanh, ()
