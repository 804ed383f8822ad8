"""Padding for the kernels of convolution and pooling: in the memory order they ask for, copying only where needed.

`unpad_images` is the adjoint of `pad_images`: each pixel sums the gradients of its copies; those of zeros are dropped.
"""

from typing import Any

import numpy as np

from scratch.kernels import memory

# PyTorch's names for what numpy.pad calls "reflect", "edge" and "wrap".
COPYING_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}

Sides = tuple[tuple[int, int], ...]  # (top, bottom), (left, right)
NO_SIDES: Sides = ((0, 0), (0, 0))


def pad_images(
    image: np.ndarray, sides: Sides, mode: str = "zeros", value: float = 0.0, channels_last: bool | None = None
) -> np.ndarray:
    """Return ``image`` (N, C, H, W) with its sides padded.

    Parameters
    ----------
    image : numpy.ndarray, shape (N, C, H, W)
        The images; returned as they are if there is nothing to pad and they lie in the asked order.
    sides : ((top, bottom), (left, right))
        How many rows and columns to add.
    mode : str
        "zeros" (or ``value``), "reflect", "replicate" or "circular", as in ``torch.nn.Conv2d``.
    value : float
        What "zeros" pads with.
    channels_last : bool, optional
        The memory order of the result: channels last (True) or first (False); by default either.
    """
    (top, bottom), (left, right) = sides
    n, c, h, w = image.shape
    if channels_last is None:
        channels_last, in_order = memory.is_channels_last(image), True
    else:
        in_order = (image.transpose(0, 2, 3, 1) if channels_last else image).flags.c_contiguous
    if in_order and sides == NO_SIDES:
        return image
    padded = memory.empty((n, c, top + h + bottom, left + w + right), image.dtype, channels_last)
    if mode == "zeros":
        padded[:, :, :top], padded[:, :, top + h :] = value, value
        padded[:, :, :, :left], padded[:, :, :, left + w :] = value, value
        padded[:, :, top : top + h, left : left + w] = image
    else:
        rows, columns = (_sources(size, *side, mode) for size, side in zip((h, w), sides, strict=True))
        padded[...] = image[:, :, rows[:, None], columns]
    return padded


def unpad_images(grad_padded: np.ndarray, sides: Sides, mode: str = "zeros") -> np.ndarray:
    """Return the gradient of the image from that of ``pad_images(image, sides, mode)``; shape (N, C, H, W)."""
    grad = grad_padded
    for axis, (before, after) in zip((2, 3), sides, strict=True):
        size = grad.shape[axis] - before - after
        grad_outside = np.moveaxis(grad, axis, 0)
        grad_inside = grad_outside[before : before + size]
        if mode != "zeros" and before + after > 0:
            grad_inside = grad_inside.copy(order="K")
            sources = _sources(size, before, after, mode)
            for place in (*range(before), *range(before + size, len(sources))):
                grad_inside[sources[place]] += grad_outside[place]
        grad = np.moveaxis(grad_inside, 0, axis)
    return grad


def _sources(size: int, before: int, after: int, mode: str) -> np.ndarray:
    # Which of an axis's places each padded place is a copy of.
    return np.pad(np.arange(size), (before, after), mode=COPYING_MODES[mode])
