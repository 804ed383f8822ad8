"""Average pooling in chunks of images on several threads, one place of the window at a time."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.padded_images import NO_SIDES, pad_images, unpad_images
from scratch.kernels.patches import Pair
from scratch.kernels.pool_windows import begin_grad_x1, pixels_at, pool_windows, share_out


def avg_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> tuple[np.ndarray, tuple]:
    """Return the mean of each window."""
    where = pool_windows(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    if divisor_override is None:
        along = zip(x.shape[2:], where.size, kernel_size, stride, padding, strict=True)
        rows, columns = (_counted(*axis, count_include_pad) for axis in along)
        counts = (rows[:, None] * columns).astype(x.dtype)  # (P, Q)
    else:
        counts = np.full(where.size, divisor_override, x.dtype)
    first, *others = where.places
    y = memory.empty_like(x, (*x.shape[:2], *where.size))

    def pool(chunk: slice) -> None:
        x1 = pad_images(x[chunk], where.sides)
        total = y[chunk]
        total[...] = pixels_at(first, x1, where)
        for place in others:
            total += pixels_at(place, x1, where)
        total /= counts

    chunks = threads.chunks(len(x), x[:1].nbytes)
    threads.run(pool, chunks)
    return y, (x.shape, memory.is_channels_last(x), counts, where, chunks)


def avg_pool2d_backward(grad_y: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, saved: tuple) -> np.ndarray:
    """Undo `avg_pool2d`."""
    x_shape, channels_last, counts, where, chunks = saved
    grad_x = memory.empty(x_shape, grad_y.dtype, channels_last)

    def undo(chunk: slice) -> None:
        grad_total = memory.in_order_of(grad_y[chunk], grad_x) / counts
        grad_x1 = begin_grad_x1(grad_x[chunk], where)
        share_out(grad_total, grad_x1, where)
        if where.sides != NO_SIDES:
            grad_x[chunk] = unpad_images(grad_x1, where.sides)

    threads.run(undo, chunks)
    return grad_x


def _counted(length: int, count: int, k: int, s: int, side: int, count_include_pad: bool) -> np.ndarray:
    """Return how many rows (or columns) of each window count."""
    first, beyond = (-side, length + side) if count_include_pad else (0, length)
    begin = np.arange(count) * s - side
    return np.minimum(begin + k, beyond) - np.maximum(begin, first)
