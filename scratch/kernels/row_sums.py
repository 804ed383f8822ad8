"""Rows of a matrix: their sums, and arithmetic with one number for each column, as few and long operations.

Sums are products with ones, which BLAS takes faster than ``np.add.reduce`` adds.
"""

from collections.abc import Callable

import numpy as np

from scratch.kernels import threads
from scratch.kernels.channel_sums import ones

LONG_RUN = 1 << 13  # numbers in one run of NumPy's inner loop from which on its beginning costs nothing


def row_sum(x: np.ndarray) -> np.ndarray:
    """Return the sums (R, 1) of the rows of (R, K).

    Examples
    --------
    >>> row_sum(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    array([[ 6.],
           [15.]])
    """
    return x @ ones(x.shape[1], x.dtype)[:, np.newaxis]


def column_sum(x: np.ndarray) -> np.ndarray:
    """Return the sums (K,) of the columns of (R, K).

    Examples
    --------
    >>> column_sum(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    array([5., 7., 9.])
    """
    return threads.sum_products(ones(len(x), x.dtype)[:, np.newaxis], x)[0]


def written_out(row: np.ndarray) -> np.ndarray:
    """Return (K,) several times, one below the other, for `with_row`."""
    rows = np.empty((max(LONG_RUN // max(len(row), 1), 1), len(row)), row.dtype)
    rows[...] = row
    return rows


def with_row(operation: Callable, x: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """Write ``operation(x, row)`` of (R, K) and what `written_out` made of (K,) into ``out``.

    Parameters
    ----------
    operation : callable
        ``np.multiply``, say.
    x, out : numpy.ndarray of shape (R, K)
        C-contiguous.
    rows : numpy.ndarray of shape (T, K)
        T equal rows.
    """
    whole = len(x) // len(rows) * len(rows)
    if whole:
        shape = whole // len(rows), rows.size
        operation(x[:whole].reshape(shape), rows.reshape(-1), out=out[:whole].reshape(shape))
    if whole < len(x):
        operation(x[whole:], rows[0], out=out[whole:])
