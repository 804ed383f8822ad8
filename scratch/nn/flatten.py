"""Flatten and Unflatten: several axes joined into one, as between convolutions and linear layers, and the reverse.

    x  (..., A, B, ..., Z, ...)  input        start, end  first and last of the axes A to Z, which are joined
    y  (..., K, ...)             output       K           A B ... Z

flatten
    F1  y = x, A to Z as one axis                (..., K, ...)                 the last of them varies fastest
    B1  grad_x = grad_y in the shape of x        (..., A, B, ..., Z, ...)      F1: no number changes, so the gradient
                                                                               only changes its shape

unflatten, where K stands alone before, and A to Z after
    F1  y = x, K as the axes A to Z              (..., A, B, ..., Z, ...)      the last of them varies fastest
    B1  grad_x = grad_y in the shape of x        (..., K, ...)                 F1: as above

The elements are in the order of the shape (N, C, H, W), whatever their order in memory, so that the weights after a
Flatten match PyTorch's. PyTorch's counterparts: ``torch.nn.Flatten``, ``torch.nn.Unflatten``. Left out: named axes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratch.checks import check_integer, name_of
from scratch.dispatch import Pair
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


def unflatten(x: np.ndarray, dim: int, sizes: tuple[int, ...]) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with the axis ``dim`` as several."""
    y = x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :])  # F1 (..., A, B, ..., Z, ...)
    return y, (x.shape,)


def unflatten_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `unflatten`."""
    (shape,) = saved
    grad_x = grad_y.reshape(shape)  # B1 (..., K, ...)
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

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair, and the axes counted from the first."""
        start, end = (axis_of(self, dim, x.ndim) for dim in (self.start_dim, self.end_dim))
        if start > end:
            raise RuntimeError(f"Flatten: expected start_dim <= end_dim, got axes {start} and {end} of {x.shape}")
        return self.functions, (start, end)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Layer):
    """Split one axis into several.

    Parameters
    ----------
    dim : int
        The axis; negative values count from the end.
    unflattened_size : sequence of int
        The sizes of the axes that it becomes; one of them may be -1, to be inferred.

    Raises
    ------
    TypeError
        If ``dim`` or a size is not an integer; named axes are not supported.
    IndexError
        If the input has no such axis.
    RuntimeError
        If there are no sizes, or their product is not the size of the axis.

    Examples
    --------
    >>> Unflatten(1, (2, -1))(np.zeros((5, 8))).shape
    (5, 2, 4)
    """

    functions = unflatten, unflatten_backward
    passes_through = True

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        is_sequence = isinstance(unflattened_size, Sequence) and not isinstance(unflattened_size, str)
        sizes: tuple[Any, ...] = tuple(unflattened_size) if is_sequence else (None,)
        if not all(isinstance(one, (int, np.integer)) for one in (dim, *sizes)):
            raise TypeError(
                f"Unflatten: expected an integer and a sequence of integers, got {dim!r} and {unflattened_size!r}; "
                "named axes are not supported"
            )
        self.dim = dim
        self.unflattened_size: tuple[int, ...] = sizes

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair, the axis counted from the first, and all sizes of the new axes."""
        dim = axis_of(self, self.dim, x.ndim)
        if x.ndim == 0:
            raise RuntimeError("Unflatten: expected input with at least one axis, got a scalar")
        return self.functions, (dim, self._sizes(x.shape[dim]))

    def _sizes(self, size: int) -> tuple[int, ...]:
        """Return the sizes of the new axes, with -1 replaced."""
        sizes = self.unflattened_size
        known = math.prod([one for one in sizes if one != -1])
        if sizes.count(-1) == 1 and known > 0:
            sizes = tuple([size // known if one == -1 else one for one in sizes])
        if not sizes or min(sizes) < 0 or math.prod(sizes) != size:
            raise RuntimeError(
                f"Unflatten: expected sizes that multiply up to the axis, of {size}, got {self.unflattened_size}"
            )
        return sizes

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def axis_of(owner: object, dim: int, ndim: int) -> int:
    """Return an axis counted from the first; a scalar counts as having one axis, as in PyTorch."""
    ndim = max(ndim, 1)
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name_of(owner)}: expected an axis within [{-ndim}, {ndim - 1}], got {dim}")
    return dim % ndim
