r"""Sigmoid, Tanh, SiLU, Softplus: the smooth curves made of one exponential.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x  input         s  the sigmoid of x
    y  output        beta, threshold  options of Softplus

sigmoid
    F1  y = 1 / (1 + exp(-x))                              (...)
    B1  grad_x = grad_y y (1 - y)                          (...)   F1: y' = exp(-x) / (1 + exp(-x))^2, and
                                                                   1 - y = exp(-x) / (1 + exp(-x))

tanh
    F1  y = tanh(x)                                        (...)
    B1  grad_x = grad_y (1 - y^2)                          (...)   F1: tanh' = 1 - tanh^2

silu
    F1  s = 1 / (1 + exp(-x))                              (...)
    F2  y = x s                                            (...)
    B1  grad_x = grad_y s (1 + x (1 - s))                  (...)   F2 and F1: x is used twice, and the product rule
                                                                   adds: s + x s', where s' = s (1 - s)

softplus
    F1  z = beta x                                         (...)
    F2  linear = z > threshold                             (...)   where the curve is almost its asymptote
    F3  log = max(0, z) + log(1 + exp(-|z|))               (...)   log(1 + exp(z)), whose exponential may overflow
    F4  y = x where linear, else log / beta                (...)
    B1  grad_x = grad_y where linear,
                 else grad_y / (1 + exp(-z))               (...)   F4, F3 and F1: the derivative of log(1 + exp(z)) is
                                                                   the sigmoid of z; 1 / beta and beta cancel

The derivatives of Sigmoid and Tanh are functions of the output, so the output is all that they save.

For large negative inputs exp(-x) overflows to infinity, and 1 / (1 + exp(-x)) is still 0, which is right.

Differs from PyTorch: with a threshold above the logarithm of the largest float (88 in float32, 709 in float64),
PyTorch's Softplus overflows between that and the threshold; this one does not.

Sources: Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
Reinforcement Learning", 2018 (SiLU); Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option
Pricing", 2001 (Softplus).

PyTorch's counterparts: ``torch.nn.Sigmoid``, ``Tanh``, ``SiLU``, ``Softplus``. ``inplace=True`` is accepted but has no
effect: an input is never written to.
"""

import numpy as np

from scratch.checks import check_number
from scratch.nn.layer import Layer


def sigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return 1 / (1 + exp(-x))."""
    y = 1 / (1 + np.exp(-x))  # F1 (...)
    return y, (y,)


def sigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `sigmoid`."""
    (y,) = saved
    grad_x = grad_y * (y * (1 - y))  # B1 (...)
    return grad_x


def tanh(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the hyperbolic tangent of ``x``."""
    y = np.tanh(x)  # F1 (...)
    return y, (y,)


def tanh_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `tanh`."""
    (y,) = saved
    grad_x = grad_y * (1 - y**2)  # B1 (...)
    return grad_x


def silu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times its sigmoid."""
    s = 1 / (1 + np.exp(-x))  # F1 (...)
    y = x * s  # F2 (...)
    return y, (x, s)


def silu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `silu`."""
    x, s = saved
    grad_x = grad_y * (s * (1 + x * (1 - s)))  # B1 (...)
    return grad_x


def softplus(x: np.ndarray, beta: float, threshold: float) -> tuple[np.ndarray, tuple]:
    """Return log(1 + exp(beta x)) / beta, and ``x`` where beta x is above the threshold."""
    z = beta * x  # F1 (...)
    linear = z > threshold  # F2 (...)
    log = np.maximum(0, z) + np.log1p(np.exp(-np.abs(z)))  # F3 (...)
    y = np.where(linear, x, log / beta)  # F4 (...)
    return y, (z, linear)


def softplus_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softplus`."""
    z, linear = saved
    grad_x = np.where(linear, grad_y, grad_y / (1 + np.exp(-z)))  # B1 (...)
    return grad_x


class Sigmoid(Layer):
    """The logistic curve from 0 to 1, y = 1 / (1 + exp(-x)); any shape. Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = Sigmoid()
    >>> layer(np.array([0.0, np.log(3.0), -1e4]))
    array([0.5 , 0.75, 0.  ])
    >>> layer.backward(np.array([4.0, 16.0, 1.0]))
    array([1., 3., 0.])
    """

    functions = sigmoid, sigmoid_backward

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()


class Tanh(Layer):
    """The hyperbolic tangent, from -1 to 1; any shape. Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = Tanh()
    >>> layer(np.array([0.0, 1e4]))
    array([0., 1.])
    >>> layer.backward(np.array([5.0, 6.0]))
    array([5., 0.])
    """

    functions = tanh, tanh_backward

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()


class SiLU(Layer):
    """The input times its own sigmoid, also known as Swish; any shape. The slope is negative left of -1.28.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = SiLU()
    >>> layer(np.array([0.0, 1e4, -1e4]))
    array([    0., 10000.,    -0.])
    >>> layer.backward(np.array([4.0, 5.0, 6.0]))
    array([ 2.,  5., -0.])
    """

    functions = silu, silu_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Softplus(Layer):
    """A smooth version of the positive part, y = log(1 + exp(beta x)) / beta; any shape.

    Parameters
    ----------
    beta : float
        How sharp the bend is.
    threshold : float
        Where ``beta * x`` is larger, y = x: with the defaults the difference is below rounding in float32, and up to
        2e-9 in float64.

    Examples
    --------
    >>> layer = Softplus()
    >>> np.exp(layer(np.array([np.log(3.0), -1e4])))
    array([4., 1.])
    >>> layer.backward(np.array([4.0, 5.0]))
    array([3., 0.])
    """

    functions = softplus, softplus_backward

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        check_number(self, "beta", beta)
        check_number(self, "threshold", threshold)
        self.beta, self.threshold = beta, threshold

    def arguments(self) -> tuple:
        """Return `softplus`'s arguments after ``x``."""
        return self.beta, self.threshold

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"
