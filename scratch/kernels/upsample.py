"""Upsampling in chunks of images on several threads, first rows, then columns.

Along an axis each pixel is a weighted sum of a few neighbours, so the map is a product with a banded matrix. It is done
in dense blocks, each for a run of results and the pixels that these read: more multiplications than needed, but far
fewer passes through memory. Zero times infinity is not zero, so if a result is not finite, the chunk is mapped again,
pixel by pixel. Results have the memory order of the images.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.patches import Pair

LONGEST_BLOCK = 32  # results, or pixels read: a longer block multiplies more zeros, a shorter one takes more calls

Along = Callable[[np.ndarray, int], np.ndarray]
"""A map along one axis of an array."""


def upsample_nearest2d(x: np.ndarray, size: Pair, step: tuple[float, ...]) -> tuple[np.ndarray, tuple]:
    """Return an image of the nearest pixels."""
    rows, columns = (_nearest(*along) for along in zip(size, step, x.shape[2:], [x.dtype] * 2, strict=True))
    y = _map(x, size, lambda images, result: _exactly(images, result, rows.copy, columns.copy))
    return y, (rows, columns, x.shape[2:])


def upsample_nearest2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_nearest2d`."""
    rows, columns, image = saved
    if rows.copies and columns.copies:
        return _map(grad_y, image, lambda grad, result: _exactly(grad, result, rows.add_up, columns.add_up))
    return _map(grad_y, image, lambda grad, result: _undo(grad, result, rows, columns))


def upsample_bilinear2d(
    x: np.ndarray, size: Pair, step: tuple[float, ...], align_corners: bool
) -> tuple[np.ndarray, tuple]:
    """Return an image of mixtures of the four nearest pixels."""
    along = zip(size, step, [align_corners] * 2, x.shape[2:], [x.dtype] * 2, strict=True)
    rows, columns = (_mixture(*axis) for axis in along)

    def mix(images: np.ndarray, result: np.ndarray) -> None:
        if not _by_blocks(images, result, rows.blocks, columns.blocks):
            _exactly(images, result, rows.mix, columns.mix)

    return _map(x, size, mix), (rows, columns, x.shape[2:])


def upsample_bilinear2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_bilinear2d`."""
    rows, columns, image = saved
    return _map(grad_y, image, lambda grad, result: _undo(grad, result, rows, columns))


Blocks = list[tuple[slice, slice, np.ndarray]]
"""Runs of results, each with the run of pixels that it reads, and the shares of these in it."""


class _Mixture:
    """Which two pixels each row, or column, is mixed from: the one before, the one behind, and the latter's share."""

    def __init__(self, before: np.ndarray, behind: np.ndarray, share: np.ndarray, length: int) -> None:
        self.before, self.behind, self.share, self.length = before, behind, share, length
        results = np.tile(np.arange(len(before)), 2)
        pixels, shares = np.concatenate([before, behind]), np.concatenate([1 - share, share])
        self.blocks = _blocks(results, pixels, shares, len(before), length)
        self.blocks_of_grad = _blocks(pixels, results, shares, length, len(before))
        # How often each pixel is copied, if results are copies and all pixels have the same number; else 0.
        count, rest = divmod(len(before), max(length, 1))
        even = rest == 0 and np.array_equal(before, np.repeat(np.arange(length), count))
        self.copies = count if even and not share.any() else 0

    def mix(self, a: np.ndarray, axis: int) -> np.ndarray:
        """Return the mixtures along an axis."""
        share = self.share.reshape(-1, *[1] * (a.ndim - 1 - axis))
        return np.take(a, self.before, axis) * (1 - share) + np.take(a, self.behind, axis) * share

    def undo(self, grad: np.ndarray, axis: int) -> np.ndarray:
        """Return the gradient of `mix`'s argument."""
        grad = np.moveaxis(grad, axis, 0)
        total = np.zeros((self.length, *grad.shape[1:]), grad.dtype)
        share = self.share.reshape(-1, *[1] * (grad.ndim - 1))
        np.add.at(total, self.before, (1 - share) * grad)
        if self.behind is not self.before:  # else its share is zero, and zero times infinity is no zero
            np.add.at(total, self.behind, share * grad)
        return np.moveaxis(total, 0, axis)

    def copy(self, a: np.ndarray, axis: int) -> np.ndarray:
        """Return copies of the pixels before."""
        return np.take(a, self.before, axis)

    def add_up(self, grad: np.ndarray, axis: int) -> np.ndarray:
        """Return the gradient of `copy`'s argument, where each pixel has as many copies: `copies`."""
        at: tuple[slice, ...] = (slice(None),) * axis
        total = grad[(*at, slice(0, None, self.copies))].copy()
        for place in range(1, self.copies):
            total += grad[(*at, slice(place, None, self.copies))]
        return total


@lru_cache(maxsize=64)
def _nearest(count: int, step: float, length: int, dtype: np.dtype) -> _Mixture:
    places = np.arange(count, dtype=np.float32) * np.float32(step)
    nearest = np.minimum(places, length - 1).astype(int)
    return _Mixture(nearest, nearest, np.zeros(count, dtype), length)


@lru_cache(maxsize=64)
def _mixture(count: int, step: float, align_corners: bool, length: int, dtype: np.dtype) -> _Mixture:
    places = np.arange(count)
    middles = step * places if align_corners else np.maximum(step * (places + 0.5) - 0.5, 0)
    before = middles.astype(int)
    return _Mixture(before, np.minimum(before + 1, length - 1), (middles - before).astype(dtype), length)


def _blocks(results: np.ndarray, pixels: np.ndarray, shares: np.ndarray, count: int, length: int) -> Blocks:
    """Return the blocks of the matrix that has ``shares`` at ``results``, ``pixels``; its shape is (count, length)."""
    size = max(LONGEST_BLOCK * count // max(count, length, 1), 1)
    blocks = []
    for begin in range(0, count, size):
        end = min(begin + size, count)
        inside = (results >= begin) & (results < end)
        reads = pixels[inside]
        first, last = (int(reads.min()), int(reads.max()) + 1) if len(reads) else (0, 0)
        block = np.zeros((end - begin, last - first), shares.dtype)
        np.add.at(block, (results[inside] - begin, reads - first), shares[inside])
        blocks.append((slice(begin, end), slice(first, last), block))
    return blocks


def _undo(grad: np.ndarray, result: np.ndarray, rows: _Mixture, columns: _Mixture) -> None:
    if not _by_blocks(grad, result, rows.blocks_of_grad, columns.blocks_of_grad):
        _exactly(grad, result, rows.undo, columns.undo)


def _by_blocks(images: np.ndarray, result: np.ndarray, rows: Blocks, columns: Blocks) -> bool:
    """Write the map of ``images`` (n, H, W, C), or (n, C, H, W) with C = 1, into ``result``.

    Returns
    -------
    bool
        Whether all of it is finite and far from the largest number; if not, it may be wrong.
    """
    n, h, w, c = images.shape
    p, q = result.shape[1:3]
    halfway = memory.empty((n, p, w, c), images.dtype)
    _along(rows, images.reshape(n, h, w * c), halfway.reshape(n, p, w * c))
    _along(columns, halfway.reshape(n * p, w, c), result.reshape(n * p, q, c))
    flat = result.reshape(-1)
    return math.isfinite(flat @ flat)


def _along(blocks: Blocks, a: np.ndarray, out: np.ndarray) -> None:
    # Along the middle one of three axes; where the last one is of length 1, as one large product.
    for results, pixels, block in blocks:
        if a.shape[2] == 1:
            np.matmul(a[:, pixels, 0], block.T, out=out[:, results, 0])
        else:
            np.matmul(block, a[:, pixels], out=out[:, results])


def _exactly(images: np.ndarray, result: np.ndarray, rows: Along, columns: Along) -> None:
    result[...] = columns(rows(images, 1), 2)


def _map(images: np.ndarray, size: Pair, work: Callable[[np.ndarray, np.ndarray], None]) -> np.ndarray:
    """Return images of another size; ``work`` writes those of a chunk, both as (n, rows, columns, ...)."""
    result = memory.empty_like(images, (*images.shape[:2], *size))

    def by_rows(a: np.ndarray) -> np.ndarray:
        if memory.is_channels_last(images):
            return a.transpose(0, 2, 3, 1)
        return a.reshape(a.shape[0] * a.shape[1], *a.shape[2:], 1)

    given, wanted = np.ascontiguousarray(by_rows(images)), by_rows(result)
    chunks = threads.chunks(len(given), given[:1].nbytes + wanted[:1].nbytes)
    threads.run(lambda chunk: work(given[chunk], wanted[chunk]), chunks)
    return result
