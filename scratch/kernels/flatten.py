"""Flatten into reused memory: channels-last images have no view in the order of their shape."""

import math

import numpy as np

from scratch.kernels.padded_images import NO_SIDES, pad_images


def flatten(x: np.ndarray, start: int, end: int) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with the axes ``start`` to ``end`` as one."""
    in_order = pad_images(x, NO_SIDES, channels_last=False) if x.ndim == 4 and start < 2 else x
    joined = math.prod(x.shape[start : end + 1])
    return in_order.reshape(*x.shape[:start], joined, *x.shape[end + 1 :]), (x.shape,)


def flatten_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `flatten`."""
    (shape,) = saved
    return grad_y.reshape(shape)
