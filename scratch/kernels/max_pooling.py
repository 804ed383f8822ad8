"""Max pooling in chunks of images on several threads, place by place of the window.

Forward keeps the input and the output; backward finds out again which place has each window's maximum: that is faster
than to have forward look for it.
"""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.keep_where import keep_where
from scratch.kernels.padded_images import NO_SIDES, pad_images, unpad_images
from scratch.kernels.patches import Pair
from scratch.kernels.pool_windows import PoolWindows, begin_grad_x1, by_place, pixels_at, pool_windows, share_out


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    return_indices: bool,
) -> tuple[np.ndarray, tuple, np.ndarray | None]:
    """Return the largest number of each window, and where in its image it is."""
    where = pool_windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    first, *others = where.places
    y = memory.empty_like(x, (*x.shape[:2], *where.size))

    def pool(chunk: slice) -> None:
        x1 = pad_images(x[chunk], where.sides, value=-np.inf)
        largest = y[chunk]
        largest[...] = pixels_at(first, x1, where)
        for place in others:
            np.maximum(pixels_at(place, x1, where), largest, out=largest)

    chunks = threads.chunks(len(x), len(where.places) * y[:1].nbytes)
    threads.run(pool, chunks)
    return y, (x, y, where, chunks), _indices(x, y, where) if return_indices else None


def max_pool2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `max_pool2d`."""
    x, y, where, chunks = saved
    grad_x = memory.empty_like(x)

    def undo(chunk: slice) -> None:
        wins, room = _winners(x[chunk], y[chunk], where)
        grad = memory.in_order_of(grad_y[chunk], y)
        shares = keep_where(wins, np.broadcast_to(grad, wins.shape), out=room)  # (k k, n, C, P, Q)
        grad_x1 = begin_grad_x1(grad_x[chunk], where)
        share_out(shares, grad_x1, where)
        if where.sides != NO_SIDES:
            grad_x[chunk] = unpad_images(grad_x1, where.sides)

    threads.run(undo, chunks)
    return grad_x


def _winners(x: np.ndarray, y: np.ndarray, where: PoolWindows) -> tuple[np.ndarray, np.ndarray]:
    """Return which place of each window is its maximum, bool (k k, n, C, P, Q), and room for numbers of that shape."""
    # The windows' places one after the other, each contiguous: all that follows runs through memory.
    n, *rest = y.shape
    count = len(where.places)
    shape = (count * n, *rest)
    pixels = memory.empty_like(y, shape).reshape(count, n, *rest)
    # NaN is unequal to everything, so that a place in the padding is not taken for a pixel of -inf.
    _gather(pad_images(x, where.sides, value=np.nan), where, pixels)
    wins = np.equal(pixels, y, out=memory.empty_like(y, shape, dtype=bool).reshape(pixels.shape))
    not_yet = np.logical_not(wins[0], out=memory.empty_like(y, dtype=bool))
    for equal in wins[1:]:
        equal &= not_yet
        not_yet ^= equal
    if not_yet.any():
        # The windows left over have a NaN, the last of which wins, or see nothing but padding, where no place wins.
        _gather(pad_images(x, where.sides, value=-np.inf), where, pixels)
        for place_wins, pixel in zip(wins[::-1], pixels[::-1], strict=True):
            np.copyto(place_wins, not_yet & np.isnan(pixel), where=not_yet)
            not_yet &= ~place_wins
    return wins, pixels


def _gather(x1: np.ndarray, where: PoolWindows, pixels: np.ndarray) -> None:
    view = by_place(x1, where)
    pixels.reshape(view.shape)[...] = view


def _indices(x: np.ndarray, y: np.ndarray, where: PoolWindows) -> np.ndarray:
    """Return the number of each window's maximum among the pixels of its image, or -1 for padding, (N, C, P, Q)."""
    wins, _ = _winners(x, y, where)
    winner, (p, q), (top, _), (left, _) = wins.argmax(axis=0), where.size, *where.sides
    row = winner // where.kernel[1] * where.dilation[0] + np.arange(p)[:, None] * where.stride[0] - top
    column = winner % where.kernel[1] * where.dilation[1] + np.arange(q) * where.stride[1] - left
    return np.where(wins.any(axis=0), row * x.shape[3] + column, -1)
