r"""The fifth rung: Winograd's F(2 x 2, 3 x 3), which adds before and after so as to multiply less.

The outputs are cut into squares of r x r, and d are the (r + 2) x (r + 2) pixels that a square is made of:

    v = B^T d B         for each square and channel
    u = G g G^T         for each kernel g
    m = v u             (r + 2)^2 matrix products, a sum over the channels in each
    y = A^T m A         r x r outputs

For r = 2 that is 16 multiplications for four outputs, where the other rungs have 36. Where the three matrices come from
is told in `scratch.kernels.winograd`; those of F(4 x 4, 3 x 3) are Lavin and Gray's, arXiv:1509.09308.

Every output is made of all nine weights, even where only one of them meets a pixel; the others cancel, but not their
rounding. For images of a single pixel, with one channel, that can be more than the budget of rounding allows.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.lessons.ladder.blocks import blocks_of, empty_output
from benchmarks.lessons.ladder.threads import each


class Matrices(NamedTuple):
    """B^T (r + 2, r + 2), G (r + 2, 3) and A^T (r, r + 2)."""

    before: np.ndarray
    kernel: np.ndarray
    after: np.ndarray


F2 = Matrices(
    before=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    kernel=np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
    after=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
)
F4 = Matrices(
    before=np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    kernel=np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24,
    after=np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]),
)


def convolve(x: np.ndarray, weight: np.ndarray, matrices: Matrices = F2) -> np.ndarray:
    """Return the convolution of ``x``, with fewer multiplications."""
    channels, height, width = x.shape[1:]
    side, pixels = matrices.after.shape  # r, r + 2
    down, across = -(-height // side), -(-width // side)
    u = both_ways(matrices.kernel, weight.transpose(2, 3, 1, 0)).reshape(pixels**2, channels, -1)
    y = empty_output(x, weight)

    def convolve_block(block: slice) -> None:
        images = x[block].transpose(2, 3, 0, 1)  # (H, W, n, C): all of a square's place in one run
        padded = np.zeros((side * down + 2, side * across + 2, *images.shape[2:]), x.dtype)
        padded[1 : height + 1, 1 : width + 1] = images
        squares = sliding_window_view(padded, (pixels, pixels), axis=(0, 1))[::side, ::side]
        v = both_ways(matrices.before, squares.transpose(4, 5, 0, 1, 2, 3))  # (r + 2, r + 2, down, across, n, C)
        m = v.reshape(pixels**2, -1, channels) @ u
        z = both_ways(matrices.after, m.reshape(*v.shape[:-1], -1))  # (r, r, down, across, n, O)
        z = z.transpose(4, 2, 0, 3, 1, 5).reshape(-1, side * down, side * across, len(weight))
        y[block] = z[:, :height, :width]

    each(convolve_block, blocks_of(x, pixels**2 * down * across * (channels + len(weight)) * x.itemsize))
    return y.transpose(0, 3, 1, 2)


def both_ways(matrix: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return matrix a matrix^T, products along the first two axes of ``a``."""
    for _ in range(2):  # what is summed over comes back as the first axis, so the other one is the second then
        a = np.tensordot(matrix.astype(a.dtype), a, axes=(1, 1))
    return a
