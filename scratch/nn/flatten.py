"""Flatten: several axes laid end to end as one, between convolutions and linear layers.

    x  (..., A, B, ..., Z, ...)  input        start, end  first and last of the axes A to Z, which are joined
    y  (..., K, ...)             output       K           A B ... Z

flatten
    F1  y = x, A to Z as one axis                (..., K, ...)                 the last of them runs fastest
    B1  grad_x = grad_y in the shape of x        (..., A, B, ..., Z, ...)      F1: no number changes, so the gradient
                                                                               only changes its shape

The order is that of the shape (N, C, H, W), whatever the order in memory, so that the weights behind a Flatten fit
PyTorch's. PyTorch's counterpart: ``torch.nn.Flatten``.
"""

import math

import numpy as np

from scratch.checks import check_integer
from scratch.nn.layer import Layer


def flatten(x: np.ndarray, start: int, end: int) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with the axes ``start`` to ``end`` as one."""
    y = x.reshape(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])  # F1 (..., K, ...)
    return y, (x.shape,)


def flatten_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `flatten`."""
    (shape,) = saved
    grad_x = grad_y.reshape(shape)  # B1 (..., A, B, ..., Z, ...)
    return grad_x


class Flatten(Layer):
    """Join the axes ``start_dim`` to ``end_dim`` (inclusive) into one.

    Parameters
    ----------
    start_dim, end_dim : int
        First and last axis to join; negative values count from the end.

    Raises
    ------
    IndexError
        If the input has no such axis.
    RuntimeError
        If ``start_dim`` comes after ``end_dim``.

    Examples
    --------
    >>> Flatten()(np.zeros((5, 2, 3, 4))).shape
    (5, 24)
    """

    functions = flatten, flatten_backward
    passes_through = True

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        check_integer(self, "start_dim", start_dim)
        check_integer(self, "end_dim", end_dim)
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (..., A, B, ..., Z, ...) to (..., K, ...)."""
        self.check_input(x)
        start, end = (self._axis(dim, x.ndim) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise RuntimeError(f"Flatten: expected start_dim <= end_dim, got axes {start} and {end} of {x.shape}")
        return self.run(self.functions, x, start, end)[0]

    def _axis(self, dim: int, ndim: int) -> int:
        # A scalar counts as having one axis, as in PyTorch.
        ndim = max(ndim, 1)
        if not -ndim <= dim < ndim:
            raise IndexError(f"Flatten: expected an axis within [{-ndim}, {ndim - 1}], got {dim}")
        return dim % ndim

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
