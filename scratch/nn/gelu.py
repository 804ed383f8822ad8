r"""GELU: the input times the probability that a standard normal number lies below it.

    x, y    any shape          Phi   the normal distribution function          phi = Phi'   its density

Exact (``approximate="none"``)
    F1  y = x Phi(x)
    B1  grad_x = grad_y (Phi(x) + x phi(x)),    phi(x) = exp(-x^2 / 2) / sqrt(2 pi)       the product rule

With a tanh (``approximate="tanh"``), where s is the sigmoid and (1 + tanh(u)) / 2 = s(2 u)
    F1  v = 2 sqrt(2 / pi) (x + 0.044715 x^3)
    F2  g = s(v)                                                    close to Phi(x)
    F3  y = x g
    B3  grad_g = grad_y x;   through the factor x directly: grad_y g
    B2  grad_v = grad_g g (1 - g)
    B1  grad_x = grad_y g + grad_v 2 sqrt(2 / pi) (1 + 3 * 0.044715 x^2)        x is used twice: a sum

As in PyTorch, minus infinity times zero is NaN: y is NaN at -inf, and so is the gradient at both infinities.

Differs from PyTorch in the left tail: (1 + erf(x / sqrt(2))) / 2 and (1 + tanh(u)) / 2, as PyTorch has them, are
differences of nearly equal numbers; below x = -8, where y is smaller than 1e-14, none of their digits is right. Phi as
`scratch.nn.normal_distribution` computes it, and the sigmoid, keep theirs.

Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016, section 2. PyTorch's counterpart: ``torch.nn.GELU``.
"""

import math

import numpy as np

from scratch.checks import check_array, check_grad_output
from scratch.kernels import memory
from scratch.nn.module import Module
from scratch.nn.normal_distribution import normal_cdf
from scratch.nn.sigmoid import sigmoid

CUBIC = 0.044715
SLOPE = 2 * math.sqrt(2 / math.pi)
LOG_SQRT_2_PI = math.log(2 * math.pi) / 2


class GELU(Module):
    """A smooth curve between 0 and the input.

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

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise RuntimeError(f"GELU: expected approximate to be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        gate = normal_cdf(x) if self.approximate == "none" else _tanh_gate(x)
        self.save_for_backward(x=x, gate=gate)
        return np.multiply(x, gate, out=memory.empty_like(x))  # F1 or F3

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope, which is negative left of -0.75."""
        x, gate = self.saved("x", "gate")
        check_grad_output(self, grad_output, x.shape, x.dtype)
        slope = _normal_density(x) if self.approximate == "none" else _tanh_gate_slope(x, gate)
        slope *= x
        slope += gate
        slope *= grad_output
        return slope  # B1


def _normal_density(x: np.ndarray) -> np.ndarray:
    density = np.multiply(x, x, out=memory.empty_like(x))
    density *= -0.5
    density -= LOG_SQRT_2_PI
    return np.exp(density, out=density)


def _tanh_gate(x: np.ndarray) -> np.ndarray:
    v = np.multiply(x, x, out=memory.empty_like(x))
    v *= SLOPE * CUBIC
    v += SLOPE
    v *= x  # F1
    return sigmoid(v)  # F2


def _tanh_gate_slope(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    slope = np.multiply(x, x, out=memory.empty_like(x))
    slope *= 3 * SLOPE * CUBIC
    slope += SLOPE
    slope *= gate
    slope *= 1.0 - gate  # B2 and the inner derivative of B1
    return slope
