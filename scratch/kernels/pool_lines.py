"""The maxima of windows, of each row's pixels first and then of the rows, without a jump through memory.

Images, as they lie in memory, are one line of numbers. The pixel below is always the same number of places further on,
and so is the pixel on the right, in either memory order. So the maxima of all pairs of neighbours are those of the line
and of the line shifted. Only the ones at the windows' first pixels count; but a run through memory takes a quarter of
the time that is spent on jumps from one to the next.
"""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.padded_images import NO_SIDES, pad_images
from scratch.kernels.pool_windows import PoolWindows, beats, pixels_at


class PoolLines:
    """Images (n, C, H, W), padded with -inf, as a line; what belongs to a window stands at its first pixel's place."""

    def __init__(self, x: np.ndarray, where: PoolWindows) -> None:
        x1 = pad_images(x, where.sides, value=-np.inf)
        self.x, self.where, self.shape, self.channels_last = x, where, x1.shape, memory.is_channels_last(x1)
        self.line = self.lay(x1)
        (kh, kw), (d, e) = where.kernel, where.dilation
        right = self.shape[1] if self.channels_last else 1
        below = self.shape[3] * right
        self.across = [e * right * j for j in range(1, kw)]
        self.down = [d * below * i for i in range(1, kh)]

    def lay(self, x1: np.ndarray) -> np.ndarray:
        """Return padded images (n, C, H1, W1) as a line."""
        return (x1.transpose(0, 2, 3, 1) if self.channels_last else x1).reshape(-1)

    def read(self, line: np.ndarray, out: np.ndarray) -> None:
        """Write what belongs to the windows to ``out`` (n, C, P, Q)."""
        n, c, h, w = self.shape
        x1 = line.reshape(n, h, w, c).transpose(0, 3, 1, 2) if self.channels_last else line.reshape(self.shape)
        out[...] = pixels_at((0, 0), x1, self.where)

    def maxima(self) -> np.ndarray:
        """Return the windows' maxima; keep those of their first 1, 2, ... pixels across, and first 1, 2, ... rows."""
        self.of_pixels = _running_maxima(self.line, self.across)
        self.of_rows = _running_maxima(self.of_pixels[-1], self.down)
        return self.of_rows[-1]

    def winners(self, special: bool) -> np.ndarray:
        """Return which place of each window has the maximum, in reading order from 0.

        Parameters
        ----------
        special : bool
            Whether a maximum may be NaN, or -inf like the padding. Where a window sees nothing but padding, the winner
            is the number of places.
        """
        number, seen = np.broadcast_to(self.where.number.type(0), self.line.shape), None
        if special and self.where.sides != NO_SIDES:
            seen = self.lay(pad_images(np.ones_like(self.x, dtype=bool), self.where.sides, value=False))
        number, seen = _winners(self.of_pixels, self.across, number, 1, special, seen)
        number, seen = _winners(self.of_rows, self.down, number, self.where.kernel[1], special, seen)
        if seen is not None:
            number[~seen] = len(self.where.places)
        return number


def _running_maxima(line: np.ndarray, shifts: list[int]) -> list[np.ndarray]:
    # Of a line's number and none, one, two, ... of those that stand the shifts further on.
    maxima = [line]
    for shift in shifts:
        largest = memory.empty(line.shape, line.dtype)  # a shift reaches beyond the end: what is there stays undefined
        np.maximum(line[shift:], maxima[-1][:-shift], out=largest[:-shift])  # of equal ones the second: the first
        maxima.append(largest)
    return maxima


def _winners(
    maxima: list[np.ndarray], shifts: list[int], first: np.ndarray, step: int, special: bool, real: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the numbers that go with the last of `_running_maxima`.

    Parameters
    ----------
    maxima, shifts : list
        What `_running_maxima` returned, and was given.
    first : numpy.ndarray
        The numbers that go with the line; that with the k-th shift is higher by k steps.
    step : int
    special : bool
        As for `PoolLines.winners`.
    real : numpy.ndarray of bool, optional
        Whether a place of the line is anything but padding; returned likewise for the winners.
    """
    line, winner, seen = maxima[0], first, None if real is None else real.copy()
    for k, (shift, best) in enumerate(zip(shifts, maxima[:-1], strict=True), start=1):
        end = len(line) - shift
        won, number = memory.empty((end,), bool), memory.empty(line.shape, first.dtype)
        beats(line[shift:], best[:end], special, out=won)
        if real is not None:
            won |= ~seen[:end]
            won &= real[shift:]
            seen[:end] |= real[shift:]
        # The later a place, the higher its number: the last that won is the highest.
        entered = np.add(first[shift:], first.dtype.type(k * step), out=number[:end])
        entered *= won.view(np.uint8)
        np.maximum(entered, winner[:end], out=entered)
        winner = number
    return winner, seen
