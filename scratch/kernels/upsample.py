"""Upsampling in chunks of images on several threads, rows first, and then columns.

Which pixel a row is a copy of grows from row to row, so the copies of one pixel are next to each other: where nothing
quicker will do, one ``reduceat`` adds up their gradients. Results have the order in memory of the images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.patches import Pair

Along = Callable[[np.ndarray, int], np.ndarray]
"""A map along one axis of an array."""


def upsample_nearest2d(x: np.ndarray, size: Pair, step: tuple[float, ...]) -> tuple[np.ndarray, tuple]:
    """Return an image of the nearest pixels."""
    rows, columns = (
        np.minimum(np.arange(count, dtype=np.float32) * np.float32(s), length - 1).astype(int)
        for count, s, length in zip(size, step, x.shape[2:], strict=True)
    )
    y = _map(x, size, [lambda a, axis: np.take(a, rows, axis), lambda a, axis: np.take(a, columns, axis)])
    return y, (rows, columns, x.shape[2:])


def upsample_nearest2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_nearest2d`."""
    rows, columns, image = saved
    return _map(
        grad_y,
        image,
        [lambda a, axis: _sums(a, rows, image[0], axis), lambda a, axis: _sums(a, columns, image[1], axis)],
    )


def upsample_bilinear2d(
    x: np.ndarray, size: Pair, step: tuple[float, ...], align_corners: bool
) -> tuple[np.ndarray, tuple]:
    """Return an image of mixtures of the four nearest pixels."""
    rows, columns = (
        _Mixture(count, s, align_corners, length, x.dtype)
        for count, s, length in zip(size, step, x.shape[2:], strict=True)
    )
    return _map(x, size, [rows.mix, columns.mix]), (rows, columns, x.shape[2:])


def upsample_bilinear2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_bilinear2d`."""
    rows, columns, image = saved
    return _map(grad_y, image, [rows.undo, columns.undo])


class _Mixture:
    """Of which two pixels each row, or column, is mixed: the one before, the one behind it, and the latter's share."""

    def __init__(self, count: int, step: float, align_corners: bool, length: int, dtype: np.dtype) -> None:
        places = np.arange(count)
        middles = step * places if align_corners else np.maximum(step * (places + 0.5) - 0.5, 0)
        self.before = middles.astype(int)
        self.behind = np.minimum(self.before + 1, length - 1)
        self.share = (middles - self.before).astype(dtype)
        self.length = length

    def shares(self, a: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return both shares in the shape that multiplies along an axis of ``a``."""
        share = self.share.reshape(-1, *[1] * (a.ndim - 1 - axis))
        return 1 - share, share

    def mix(self, a: np.ndarray, axis: int) -> np.ndarray:
        """Return the mixtures along an axis."""
        first, second = self.shares(a, axis)
        mixed, more = np.take(a, self.before, axis), np.take(a, self.behind, axis)
        mixed *= first
        more *= second
        mixed += more
        return mixed

    def undo(self, grad: np.ndarray, axis: int) -> np.ndarray:
        """Return the gradient of `mix`'s argument."""
        first, second = self.shares(grad, axis)
        total = _sums(grad * first, self.before, self.length, axis)
        total += _sums(grad * second, self.behind, self.length, axis)
        return total


def _sums(grad: np.ndarray, places: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Return what each of ``length`` pixels gets in all, if places never go back: the adjoint of ``np.take``."""
    before: tuple[Any, ...] = (slice(None),) * axis
    total = np.zeros((*grad.shape[:axis], length, *grad.shape[axis + 1 :]), grad.dtype)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    count, rest = divmod(len(places), len(starts))
    if len(starts) == length and rest == 0 and np.array_equal(starts, np.arange(0, len(places), count)):
        # As many copies of each pixel: one addition for all first ones, one for all second ones, ...
        for place in range(count):
            total += grad[(*before, slice(place, None, count))]
    elif axis == grad.ndim - 1:
        total[(*before, places[starts])] = np.add.reduceat(grad, starts, axis)
    else:
        for place, pixel in enumerate(places):
            total[(*before, pixel)] += grad[(*before, place)]
    return total


def _map(images: np.ndarray, size: Pair, along: list[Along]) -> np.ndarray:
    """Return images of another size: mapped along the rows' axis, and then along the columns'."""
    result = memory.empty_like(images, (*images.shape[:2], *size))
    # Rows and columns are axes 2 and 3, or, in the order of channels-last memory, 1 and 2.
    order, axis = ((0, 2, 3, 1), 1) if memory.is_channels_last(images) else ((0, 1, 2, 3), 2)
    given, wanted = images.transpose(order), result.transpose(order)

    def work(chunk: slice) -> None:
        wanted[chunk] = along[1](along[0](given[chunk], axis), axis + 1)

    threads.run(work, threads.chunks(len(images), max(images[:1].nbytes, result[:1].nbytes)))
    return result
