"""Padding for the kernels of convolution and pooling: in the memory order they ask for, copying only where needed.

`unpad_images` is the adjoint of `pad_images`: the gradient of a pixel is the sum over its copies; that of zeros is
dropped.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from scratch.kernels import memory

# PyTorch's names for what numpy.pad calls "reflect", "edge" and "wrap".
COPYING_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}

Sides = tuple[tuple[int, int], ...]  # (top, bottom), (left, right)
NO_SIDES: Sides = ((0, 0), (0, 0))


def padded_size(image: tuple[int, ...], sides: Sides) -> tuple[int, ...]:
    """Return the rows and columns that images of a size (H, W) have after padding."""
    return tuple([length + sum(side) for length, side in zip(image, sides, strict=True)])


def pad_images(
    image: np.ndarray,
    sides: Sides,
    mode: str = "zeros",
    value: float = 0.0,
    channels_last: bool | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``image`` (N, C, H, W) with its sides padded.

    Parameters
    ----------
    image : numpy.ndarray, shape (N, C, H, W)
        The images; returned as they are if there is nothing to pad and they have the requested memory order.
    sides : ((top, bottom), (left, right))
        How many rows and columns to add.
    mode : str
        "zeros" (or ``value``), "reflect", "replicate" or "circular", as in ``torch.nn.Conv2d``.
    value : float
        What "zeros" pads with.
    channels_last : bool, optional
        The memory order of the result: channels last (True) or first (False); by default that of the images.
    out : numpy.ndarray, optional
        Where to write, whatever the order; by default new memory.
    """
    (top, bottom), (left, right) = sides
    n, c, h, w = image.shape
    if channels_last is None:
        channels_last, in_order = memory.is_channels_last(image), True
    else:
        in_order = (image.transpose(0, 2, 3, 1) if channels_last else image).flags.c_contiguous
    if in_order and sides == NO_SIDES and out is None:
        return image
    shape = n, c, top + h + bottom, left + w + right
    padded = memory.empty(shape, image.dtype, channels_last) if out is None else out
    if mode == "zeros":
        padded[:, :, :top], padded[:, :, top + h :] = value, value
        padded[:, :, :, :left], padded[:, :, :, left + w :] = value, value
        padded[:, :, top : top + h, left : left + w] = image
    else:
        # Whole columns and rows are copied at a time, which is faster than gathering pixels by index.
        of_image = padded[:, :, top : top + h]
        of_image[..., left : left + w] = image
        for column, source in _copies(w, left, right, mode):
            of_image[..., column] = image[..., source]
        for row, source in _copies(h, top, bottom, mode):
            padded[:, :, row] = of_image[:, :, source]
    return padded


def unpad_images(grad_padded: np.ndarray, sides: Sides, mode: str = "zeros") -> np.ndarray:
    """Return the gradient of the image from that of ``pad_images(image, sides, mode)``; shape (N, C, H, W)."""
    (top, bottom), (left, right) = sides
    h, w = grad_padded.shape[2] - top - bottom, grad_padded.shape[3] - left - right
    grad_rows = grad_padded[:, :, top : top + h]
    if mode != "zeros" and sides != NO_SIDES:
        whole, grad_rows = grad_rows, memory.empty_like(grad_padded, grad_rows.shape)
        grad_rows[...] = whole
        for row, source in _copies(h, top, bottom, mode):
            grad_rows[:, :, source] += grad_padded[:, :, row]
        for column, source in _copies(w, left, right, mode):
            grad_rows[..., left + source] += grad_rows[..., column]
    return grad_rows[..., left : left + w]


@lru_cache(maxsize=64)
def _copies(size: int, before: int, after: int, mode: str) -> tuple[tuple[int, int], ...]:
    """Return the places of an axis that padding adds, each with the place in the image that it is a copy of."""
    sources = np.pad(np.arange(size), (before, after), mode=COPYING_MODES[mode]).tolist()
    return tuple([(place, sources[place]) for place in (*range(before), *range(before + size, len(sources)))])
