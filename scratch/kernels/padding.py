"""Padding in one copy of each image: see `scratch.kernels.padded_images`."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.padded_images import Sides, pad_images, unpad_images


def pad(x: np.ndarray, padding: Sides, mode: str, value: float = 0.0) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with rows and columns added around each image; "zeros" are ``value``."""
    added = tuple([(max(before, 0), max(after, 0)) for before, after in padding])
    grown = pad_images(x, added, mode, value)
    kept = tuple([slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(grown.shape[2:], padding, strict=True)])
    return grown[:, :, *kept], (grown.shape, added, mode, kept)


def pad_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pad`."""
    shape, added, mode, kept = saved
    grad_grown = grad_y
    if grad_y.shape != shape:
        grad_grown = memory.empty_like(grad_y, shape)
        grad_grown[...] = 0
        grad_grown[:, :, *kept] = grad_y
    return unpad_images(grad_grown, added, mode)
