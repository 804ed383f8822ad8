"""Max pooling in chunks of images on several threads.

For backward it saves, in a byte for each window (two for windows of over 255 places), which place has the maximum.
"""

import numpy as np

from scratch.grad_mode import recording
from scratch.kernels import memory, threads
from scratch.kernels.keep_where import keep_where
from scratch.kernels.padded_images import NO_SIDES, unpad_images
from scratch.kernels.patches import Pair
from scratch.kernels.pool_lines import maxima
from scratch.kernels.pool_windows import PoolWindows, begin_grad_x1, pixels_at, pool_windows


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
    y = memory.empty_like(x, (*x.shape[:2], *where.size))
    numbered = return_indices or recording.get()  # read here, since helpers have their own context
    winners = memory.empty_like(y, dtype=where.number) if numbered else None

    def pool(chunk: slice) -> None:
        y[chunk], numbers = maxima(x[chunk], where, numbered)
        if winners is not None:
            winners[chunk] = numbers

    chunks = threads.chunks(len(x), 3 * x[:1].nbytes)
    threads.run(pool, chunks)
    indices = _indices(winners, x.shape[3], where) if return_indices and winners is not None else None
    return y, (x.shape, memory.is_channels_last(x), winners, where, chunks), indices


def max_pool2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `max_pool2d`."""
    x_shape, channels_last, winners, where, chunks = saved
    grad_x = memory.empty(x_shape, grad_y.dtype, channels_last)

    def undo(chunk: slice) -> None:
        winner, grad = winners[chunk], memory.in_order_of(grad_y[chunk], winners)
        wins, room = memory.empty_like(winner, dtype=bool), memory.empty_like(winner, dtype=grad.dtype)
        grad_x1 = begin_grad_x1(grad_x[chunk], where)
        for number, place in enumerate(where.places):
            np.equal(winner, number, out=wins)
            pixels = pixels_at(place, grad_x1, where)
            share = keep_where(wins, grad, out=pixels if where.tile else room)
            if not where.tile:
                pixels += share
        if where.sides != NO_SIDES:
            grad_x[chunk] = unpad_images(grad_x1, where.sides)

    threads.run(undo, chunks)
    return grad_x


def _indices(winners: np.ndarray, columns: int, where: PoolWindows) -> np.ndarray:
    """Return the number of each window's maximum among the pixels of its image, or -1 for padding, (N, C, P, Q)."""
    winner, (p, q), (top, _), (left, _) = winners.astype(np.int64), where.size, *where.sides
    row = winner // where.kernel[1] * where.dilation[0] + np.arange(p)[:, None] * where.stride[0] - top
    column = winner % where.kernel[1] * where.dilation[1] + np.arange(q) * where.stride[1] - left
    return np.where(winner < len(where.places), row * columns + column, -1)
