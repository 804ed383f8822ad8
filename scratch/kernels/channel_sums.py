"""Sums over everything but the channels, as matrix products.

BLAS adds faster than ``np.add.reduce``, above all where the channels lie side by side in memory: ten times for a
channels-last image batch.
"""

import math
from functools import lru_cache

import numpy as np

from scratch.kernels.memory import is_channels_last

# Numbers in one piece that are worth the beginning of a loop over them.
LONG_RUN = 1 << 12


@lru_cache(maxsize=64)
def ones(count: int, dtype: np.dtype) -> np.ndarray:
    """Return an array of ones that all who sum share, and nobody can write to."""
    array = np.ones(count, dtype)
    array.flags.writeable = False
    return array


def channel_sum(x: np.ndarray) -> np.ndarray:
    """Sum (N, C) or (N, C, ...) over all axes but the second.

    Each image is summed on its own before the images are added, which keeps the rounding error of large batches small.

    Examples
    --------
    >>> channel_sum(np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]))
    array([14., 22.])
    """
    if x.ndim == 2:
        return ones(x.shape[0], x.dtype) @ x
    images = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))  # a view for images in either memory order
    return np.add.reduce(images @ ones(images.shape[2], x.dtype), axis=0)


def as_channels(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Give ``values`` of shape (C,) the shape (C, 1, ...), or (C, rows, W), that broadcasts against ``like``.

    Against images whose channels lie next to each other, each is written out for a row or an image: arithmetic then
    runs through memory, and does not begin anew after every C numbers.

    Examples
    --------
    >>> as_channels(np.zeros(3), np.zeros((2, 3, 4, 5))).shape
    (3, 1, 1)
    >>> as_channels(np.zeros(3), np.zeros((2, 4, 5, 3)).transpose(0, 3, 1, 2)).shape
    (3, 4, 5)
    """
    if like.ndim == 2:
        return values
    if not is_channels_last(like):
        return values.reshape(-1, *(1,) * (like.ndim - 2))
    _, c, h, w = like.shape
    rows = h if w * c < LONG_RUN else 1
    return np.tile(values, (rows, w, 1)).transpose(2, 0, 1)
