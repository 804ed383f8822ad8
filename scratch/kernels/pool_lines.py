"""The maxima of windows, first of the pixels in each row and then of the rows, without jumps through memory.

In memory, images are one line of numbers. The pixel on the right is always the same number of places further on, and so
is the pixel below, in either memory order. So the maxima of all pairs of neighbours are the elementwise maximum of the
line and the shifted line. Only those at the windows' first pixels count, but a contiguous run through memory takes a
quarter of the time of jumps from one window to the next.
"""

import math
from typing import NamedTuple

import numpy as np

from scratch.kernels import memory
from scratch.kernels.padded_images import NO_SIDES, pad_images
from scratch.kernels.pool_windows import PoolWindows, beats


class Maxima(NamedTuple):
    """Maxima, each of several pixels.

    Attributes
    ----------
    values : numpy.ndarray, shape (N, C, H, W)
    numbers : numpy.ndarray of integers, shape (N, C, H, W), or None
        Which place of its window each is from, in reading order from 0. None if all are 0, or if they were not asked
        for.
    real : numpy.ndarray of bool, shape (N, C, H, W), or None
        Whether it is a pixel, and not padding. None if that was not asked for.
    """

    values: np.ndarray
    numbers: np.ndarray | None = None
    real: np.ndarray | None = None


def maxima(x: np.ndarray, where: PoolWindows, numbered: bool) -> tuple[np.ndarray, np.ndarray | int | None]:
    """Return the maxima of the windows of ``x``, and the numbers of their places (N, C, P, Q).

    Parameters
    ----------
    x : numpy.ndarray, shape (N, C, H, W)
        The images.
    where : PoolWindows
    numbered : bool
        Whether the numbers are asked for. Where a window sees nothing but padding, its number is how many places there
        are.
    """
    x1 = Maxima(pad_images(x, where.sides, value=-np.inf))
    values, numbers, _ = _along(2, _along(3, x1, where, numbered), where, numbered)
    if numbered and not math.isfinite(np.add.reduce(values, axis=None)):
        # There may be a NaN, or pixels as small as the padding.
        if where.sides != NO_SIDES:
            x1 = x1._replace(real=pad_images(np.ones_like(x, dtype=bool), where.sides, value=False))
        _, numbers, real = _along(2, _along(3, x1, where, True, True), where, True, True)
        if real is not None and numbers is not None:
            numbers[~real] = len(where.places)
    return values, 0 if numbers is None else numbers


def _along(axis: int, of: Maxima, where: PoolWindows, numbered: bool, special: bool = False) -> Maxima:
    """Return the maxima along a window's row (axis 3), or of its rows (axis 2), at the windows' first pixels.

    ``special`` says that there may be NaN, which beats all that comes before it.
    """
    n, c, h, w = of.values.shape
    channels_last = memory.is_channels_last(of.values)
    count, stride, size = where.kernel[axis - 2], where.stride[axis - 2], where.size[axis - 2]
    number_step = 1 if axis == 3 else where.kernel[1]
    shift = where.dilation[axis - 2] * (c if channels_last else 1) * (1 if axis == 3 else w)

    def lay(images: np.ndarray) -> np.ndarray:
        return (images.transpose(0, 2, 3, 1) if channels_last else images).reshape(-1)

    def at_windows(line: np.ndarray) -> np.ndarray:
        images = line.reshape(n, h, w, c).transpose(0, 3, 1, 2) if channels_last else line.reshape(n, c, h, w)
        first = images[(slice(None),) * axis + (slice(0, stride * (size - 1) + 1, stride),)]
        out = memory.empty_like(of.values, first.shape, line.dtype)
        out[...] = first
        return out

    line = lay(of.values)
    first = None if of.numbers is None else lay(of.numbers)
    real = None if of.real is None else lay(of.real)
    largest, number, seen = line, first, None if real is None else real.copy()
    for k in range(1, count):
        # Where the shift reaches beyond the line, results are left undefined: no window begins there.
        later, end = slice(k * shift, None), len(line) - k * shift
        if numbered:
            won = beats(line[later], largest[:end], special, out=memory.empty((end,), bool))
            if real is not None and seen is not None:
                won |= ~seen[:end]
                seen[:end] |= real[later]
            entered = memory.empty(line.shape, where.number)
            if first is None:
                entered[:end] = k * number_step
            else:
                np.add(first[later], where.number.type(k * number_step), out=entered[:end])
            entered[:end] *= won.view(np.uint8)
            if number is not None:  # of the places that won, the last has the highest number
                np.maximum(entered[:end], number[:end], out=entered[:end])
            number = entered
        room = memory.empty(line.shape, line.dtype) if k == 1 else largest
        # Of two equal numbers np.maximum returns its second argument: here the first in reading order.
        np.maximum(line[later], largest[:end], out=room[:end])
        largest = room
    numbers, pixels = (None if one is None else at_windows(one) for one in (number, seen))
    return Maxima(at_windows(largest), numbers, pixels)
