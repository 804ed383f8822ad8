"""Flatten: several axes laid end to end as one, where convolutions hand over to linear layers.

    F1  y = x with the axes start_dim..end_dim joined, the last of them running fastest
    B1  grad_x = grad_y with that axis split again: no number changes, so the gradient only changes its shape

The order is that of the shape (N, C, H, W), whatever the order in memory, so that the weights behind a Flatten fit
PyTorch's. PyTorch's counterpart: ``torch.nn.Flatten``.
"""

import math

import numpy as np

from scratch.checks import check_array, check_grad_output
from scratch.nn.module import Module


class Flatten(Module):
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

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (..., a, b, c, ...) to (..., a*b*c, ...)."""
        check_array(self, x)
        start, end = (self._axis(dim, x.ndim) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise RuntimeError(f"Flatten: expected start_dim <= end_dim, got axes {start} and {end} of {x.shape}")
        joined = math.prod(x.shape[start : end + 1])
        y = x.reshape(*x.shape[:start], joined, *x.shape[end + 1 :])  # F1
        self.save_for_backward(input_shape=x.shape, output_shape=y.shape, dtype=x.dtype)
        return y

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Give ``grad_output`` the input's shape."""
        input_shape, output_shape, dtype = self.saved("input_shape", "output_shape", "dtype")
        check_grad_output(self, grad_output, output_shape, dtype)
        return grad_output.reshape(input_shape)  # B1

    def _axis(self, dim: int, ndim: int) -> int:
        # A scalar counts as having one axis, as in PyTorch.
        ndim = max(ndim, 1)
        if not -ndim <= dim < ndim:
            raise IndexError(f"Flatten: expected an axis within [{-ndim}, {ndim - 1}], got {dim}")
        return dim % ndim

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
