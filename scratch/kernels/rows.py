"""Work on the rows of a matrix, in blocks of them.

Sums of rows are products with ones, and sums of squares are inner products: the BLAS does both faster than
``np.add.reduce``.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from scratch.kernels import buffer, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.channel_sums import ones

# The work on a block has as many small arrays as big ones, so few calls matter more than the second-level cache.
BLOCK_BYTES = 1 << 20


def parts_of(x: np.ndarray) -> list[slice]:
    """Return slices of the first axis, to be worked on one by one or several at once."""
    return blocks(len(x), x.nbytes // max(len(x), 1), BLOCK_BYTES)


def run_on_rows(task: Callable[[Any], object], items: Iterable, rows: np.ndarray) -> None:
    """Call ``task`` on each item, several at once, where it computes with the rows of arrays like ``rows``."""
    with buffer.for_rows(rows.itemsize * rows.shape[-1]):
        threads.run(task, items)


def row_sum(x: np.ndarray) -> np.ndarray:
    """Return the sums (R, 1) of the rows of (R, K)."""
    return (x @ ones(x.shape[1], x.dtype))[:, np.newaxis]


def row_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner products (R, 1) of the rows of two (R, K)."""
    return np.vecdot(a, b)[:, np.newaxis]
