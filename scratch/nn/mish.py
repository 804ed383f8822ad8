r"""Mish: the input times the hyperbolic tangent of its softplus, a smooth curve with a dip left of zero.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x, y  input, output        gate  between 0 and 1

mish
    F1  s = log(1 + exp(x))                                (...)   softplus, by logaddexp: no exponential can overflow
    F2  gate = tanh(s)                                     (...)
    F3  y = x gate                                         (...)

    B1  grad_x = grad_y (gate + x (1 - gate^2)
                         / (1 + exp(-x)))                  (...)   F3, F2 and F1: x is used twice, and the product rule
                                                                   adds; tanh' = 1 - tanh^2, and softplus has the slope
                                                                   sigmoid(x)

As in PyTorch, minus infinity times zero is NaN: y is NaN at -inf, and so is the gradient at both infinities.

Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2020. PyTorch's counterpart:
``torch.nn.Mish``. ``inplace=True`` is accepted but has no effect: an input is never written to.
"""

import numpy as np

from scratch.nn.layer import Layer


def mish(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the hyperbolic tangent of its softplus."""
    s = np.logaddexp(0, x)  # F1 (...)
    gate = np.tanh(s)  # F2 (...)
    y = x * gate  # F3 (...)
    return y, (x, gate)


def mish_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `mish`."""
    x, gate = saved
    grad_x = grad_y * (gate + x * (1 - gate**2) / (1 + np.exp(-x)))  # B1 (...)
    return grad_x


class Mish(Layer):
    """A smooth curve between 0 and the input; any shape. The slope is negative left of -1.19.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = Mish()
    >>> layer(np.array([0.0, 1e4, -1e4]))
    array([    0., 10000.,    -0.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([3., 6., 0.])
    """

    functions = mish, mish_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
