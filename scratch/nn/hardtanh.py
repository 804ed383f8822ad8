r"""Hardtanh and ReLU6: the identity between two bounds, and the bound itself beyond them.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x, y  input, output        min_val, max_val  the bounds; 0 and 6 for ReLU6

hardtanh
    F1  y = max_val where x >= max_val, else max(x, min_val)   (...)
    B1  grad_x = grad_y where min_val < y < max_val, else 0    (...)   F1: beyond a bound y is a constant

At a bound itself, a kink, there is no derivative. Like PyTorch we take 0, the slope outside. So the output alone says
where the gradient passes, and it is in memory anyway, as the input of the next layer.

NaN stays NaN in forward, and its gradient is 0; in PyTorch it is grad_y at the end of some arrays.

Sources: Collobert, "Large Scale Machine Learning", 2004 (Hardtanh); Krizhevsky, "Convolutional Deep Belief Networks on
CIFAR-10", 2010 (ReLU6). PyTorch's counterparts: ``torch.nn.Hardtanh``, ``torch.nn.ReLU6``. ``inplace=True`` is accepted
but has no effect: an input is never written to. Left out: the deprecated ``min_value`` and ``max_value``.
"""

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer


def hardtanh(x: np.ndarray, min_val: float, max_val: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` within the bounds, and the nearer bound elsewhere."""
    y = np.where(x >= max_val, max_val, np.maximum(x, min_val))  # F1 (...)
    return y, (y,)


def hardtanh_backward(grad_y: np.ndarray, min_val: float, max_val: float, saved: tuple) -> np.ndarray:
    """Undo `hardtanh`."""
    (y,) = saved
    grad_x = np.where((min_val < y) & (y < max_val), grad_y, 0)  # B1 (...)
    return grad_x


class Hardtanh(Layer):
    """The identity within two bounds; any shape.

    Parameters
    ----------
    min_val, max_val : float
        The bounds.
    inplace : bool
        Has no effect: an input is never written to.

    Raises
    ------
    ValueError
        If ``max_val`` is not larger than ``min_val``.

    Examples
    --------
    >>> layer = Hardtanh(-2.0, 1.0)
    >>> layer(np.array([-3.0, -1.0, 0.5, 1.0]))
    array([-2. , -1. ,  0.5,  1. ])
    >>> layer.backward(np.array([5.0, 6.0, 7.0, 8.0]))
    array([0., 6., 7., 0.])
    """

    functions = hardtanh, hardtanh_backward

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if not max_val > min_val:
            raise ValueError(f"{name_of(self)}: expected max_val above min_val={min_val}, got {max_val}")
        self.min_val, self.max_val = min_val, max_val

    def arguments(self) -> tuple:
        """Return `hardtanh`'s arguments after ``x``."""
        return self.min_val, self.max_val

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """The positive part, but never more than 6; any shape.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = ReLU6()
    >>> layer(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([0., 6., 0.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0)

    def extra_repr(self) -> str:
        """Return nothing: the constructor's argument has no effect."""
        return ""
