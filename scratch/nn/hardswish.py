r"""Hardsigmoid and Hardswish: Sigmoid and SiLU with three straight pieces in place of the exponential.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x, y  input, output        gate  between 0 and 1: 0 up to -3, 1 from 3 on

hardsigmoid
    F1  y = 1 where x >= 3, else max(x + 3, 0) / 6         (...)
    B1  grad_x = grad_y / 6 where -3 < x < 3, else 0       (...)   F1: beyond the bounds y is a constant

hardswish
    F1  gate = 1 where x >= 3, else max(x + 3, 0) / 6      (...)
    F2  y = x gate                                         (...)
    B1  grad_x = 0 where x <= -3, grad_y where x >= 3,
                 else grad_y (x / 3 + 1 / 2)               (...)   F2 and F1: x is used twice, and the product rule
                                                                   adds: gate + x / 6 = x / 3 + 1 / 2

At the bounds, the kinks, there is no derivative. Like PyTorch we take the slopes outside: 0 and, for Hardswish, 1 at 3.

NaN stays NaN in forward. Its gradient is 0 in Hardsigmoid, as in PyTorch, and NaN in Hardswish; in PyTorch it is grad_y
at the end of some arrays. At minus infinity, infinity times zero makes Hardswish's y NaN, and the gradient 0.

Source: Howard et al., "Searching for MobileNetV3", 2019, section 5.2. PyTorch's counterparts: ``torch.nn.Hardsigmoid``,
``torch.nn.Hardswish``. Differs from PyTorch: Hardsigmoid's slope is 1/6 to the last digit, where PyTorch's is rounded
to float32 in float64, too. ``inplace=True`` is accepted but has no effect: an input is never written to.
"""

import numpy as np

from scratch.nn.layer import Layer


def hardsigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return 0 up to -3, 1 from 3 on, and a straight line between."""
    y = np.where(x >= 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)
    return y, (x,)


def hardsigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `hardsigmoid`."""
    (x,) = saved
    grad_x = np.where((x > -3) & (x < 3), grad_y / 6, 0)  # B1 (...)
    return grad_x


def hardswish(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times its hard sigmoid."""
    gate = np.where(x >= 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)
    y = x * gate  # F2 (...)
    return y, (x,)


def hardswish_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `hardswish`."""
    (x,) = saved
    grad_x = np.where(x <= -3, 0, np.where(x >= 3, grad_y, grad_y * (x / 3 + 0.5)))  # B1 (...)
    return grad_x


class Hardsigmoid(Layer):
    """A straight line from 0 at -3 to 1 at 3, and constant beyond; any shape.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = Hardsigmoid()
    >>> layer(np.array([-4.0, 0.0, 1.5, 3.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    >>> layer.backward(np.array([6.0, 12.0, 18.0, 24.0]))
    array([0., 2., 3., 0.])
    """

    functions = hardsigmoid, hardsigmoid_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class Hardswish(Layer):
    """0 up to -3, the input from 3 on, and a parabola between; any shape.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = Hardswish()
    >>> layer(np.array([-4.0, -1.5, 3.0, 5.0]))
    array([-0.   , -0.375,  3.   ,  5.   ])
    >>> layer.backward(np.array([6.0, 7.0, 8.0, 9.0]))
    array([0., 0., 8., 9.])
    """

    functions = hardswish, hardswish_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
