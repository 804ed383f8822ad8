"""Padding in chunks of images on several threads, with one copy of each: see `scratch.kernels.padded_images`."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.padded_images import Sides, pad_images, unpad_images


def pad(x: np.ndarray, padding: Sides, mode: str, value: float = 0.0) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with rows and columns added around each image; "zeros" are ``value``."""
    added = tuple([(max(before, 0), max(after, 0)) for before, after in padding])
    grown = memory.empty_like(x, (*x.shape[:2], *[n + sum(side) for n, side in zip(x.shape[2:], added, strict=True)]))
    kept = tuple([slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(grown.shape[2:], padding, strict=True)])
    chunks = threads.chunks(len(x), grown[:1].nbytes)
    threads.run(lambda chunk: pad_images(x[chunk], added, mode, value, out=grown[chunk]), chunks)
    return grown[:, :, *kept], (x.shape, grown.shape, added, mode, kept, chunks)


def pad_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pad`."""
    x_shape, shape, added, mode, kept, chunks = saved
    if mode == "zeros" and grad_y.shape == shape:
        return unpad_images(grad_y, added)
    grad_x = memory.empty_like(grad_y, x_shape)

    def undo(chunk: slice) -> None:
        grad_grown = grad_y[chunk]
        if grad_y.shape != shape:
            grad_grown = memory.empty_like(grad_y, (len(grad_grown), *shape[1:]))
            grad_grown[...] = 0
            grad_grown[:, :, *kept] = grad_y[chunk]
        grad_x[chunk] = unpad_images(grad_grown, added, mode)

    threads.run(undo, chunks)
    return grad_x
