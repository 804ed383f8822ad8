"""What convolution and pooling share: options that come in pairs, and images with and without a batch."""

import numpy as np

from scratch.checks import name_of

Pair = tuple[int, int]


def pair(owner: object, name: str, value: int | Pair, least: int) -> Pair:
    """Return an option for rows and columns as a pair of ints.

    Raises
    ------
    TypeError
        If it is neither an integer nor a sequence of integers.
    RuntimeError
        If it has not one or two entries, or if one is less than ``least``.
    """
    entries = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(entry, (int, np.integer)) for entry in entries):
        raise TypeError(f"{name_of(owner)}: expected {name} to be an integer or a pair of integers, got {value!r}")
    if len(entries) not in (1, 2):
        raise RuntimeError(f"{name_of(owner)}: expected {name} to have one or two entries, got {value!r}")
    if min(entries) < least:
        raise RuntimeError(f"{name_of(owner)}: expected {name} to be {least} or more, got {value!r}")
    return (int(entries[0]), int(entries[-1]))


def as_batch(owner: object, x: np.ndarray) -> np.ndarray:
    """Return ``x``, (N, C, H, W) or one image (C, H, W), as (N, C, H, W).

    Raises
    ------
    RuntimeError
        If it has another number of axes, or no rows or columns.
    """
    if x.ndim not in (3, 4):
        raise RuntimeError(f"{name_of(owner)}: expected input of shape (N, C, H, W) or (C, H, W), got {x.shape}")
    if 0 in x.shape[-2:]:
        raise RuntimeError(f"{name_of(owner)}: expected input with at least one row and one column, got {x.shape}")
    return x if x.ndim == 4 else x[None]
