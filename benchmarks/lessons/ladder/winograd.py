r"""The fifth rung: Winograd's F(2 x 2, 3 x 3), which multiplies less by adding before and after.

The outputs are cut into squares of r x r. A square is computed from a tile d of (r + 2) x (r + 2) pixels:

    v = B^T d B         for each tile and channel: additions before
    u = G g G^T         for each kernel g, once
    m = v u             (r + 2)^2 matrix products, a sum over the channels in each
    y = A^T m A         r x r outputs: additions after

For r = 2 that is 16 multiplications for four outputs, where the other rungs have 36. The three matrices for r = 2 are
those that `scratch.kernels.winograd` derives; those for r = 4 are Lavin and Gray's, arXiv:1509.09308.

The short way to write the additions is a product with a matrix of 0, 1 and -1. It is not the fast way: such a product
copies its operand into another order first, and multiplies by every 0. `scratch.kernels.winograd` adds.

Every output is computed from all nine weights, even where only one of them meets a pixel. The others cancel, but their
rounding errors do not. For images of a single pixel, with one channel, these can exceed the rounding budget.
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

    @property
    def side(self) -> int:
        """The side r of a square of outputs."""
        return len(self.after)

    def squares(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many squares it takes, down and across, to cover an image of ``size`` (H, W)."""
        return tuple(-(-length // self.side) for length in size)


F2 = Matrices(
    before=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    kernel=np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, -1]]),
    after=np.array([[1, 1, 1, 0], [0, 1, -1, 1]]),
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
    y = empty_output(x, weight)
    u = both_ways(matrices.kernel, weight.transpose(2, 3, 1, 0))  # (r + 2, r + 2, C, O)

    def convolve_block(block: slice) -> None:
        v = add_before(x[block], matrices)
        m = multiply(v, u)
        y[block] = add_after(m, matrices, x.shape[2:])

    each(convolve_block, blocks_of(x, image_bytes(x, weight, matrices)))
    return y.transpose(0, 3, 1, 2)


def add_before(images: np.ndarray, matrices: Matrices) -> np.ndarray:
    """Return v (r + 2, r + 2, down, across, n, C), from the tiles of the images (n, C, H, W)."""
    n_images, channels, height, width = images.shape
    down, across = matrices.squares((height, width))
    side, tile = matrices.side, matrices.side + 2
    # Rows and columns come first, so that a place's numbers, of all images and channels, are contiguous.
    padded = np.zeros((side * down + 2, side * across + 2, n_images, channels), images.dtype)
    padded[1 : height + 1, 1 : width + 1] = images.transpose(2, 3, 0, 1)
    tiles = sliding_window_view(padded, (tile, tile), axis=(0, 1))[::side, ::side]  # (down, across, n, C, r + 2, r + 2)
    return both_ways(matrices.before, tiles.transpose(4, 5, 0, 1, 2, 3))


def multiply(v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return m (r + 2, r + 2, down, across, n, O): a matrix product for each of a tile's (r + 2)^2 places."""
    tile, _, channels, kernels = u.shape
    m = v.reshape(tile**2, -1, channels) @ u.reshape(tile**2, channels, kernels)
    return m.reshape(*v.shape[:-1], kernels)


def add_after(m: np.ndarray, matrices: Matrices, size: tuple[int, ...]) -> np.ndarray:
    """Return the output of a block, channels last: (n, H, W, O)."""
    squares = both_ways(matrices.after, m)  # (r, r, down, across, n, O)
    side, _, down, across, n_images, kernels = squares.shape
    rows_and_columns = squares.transpose(4, 2, 0, 3, 1, 5)  # (n, down, r, across, r, O)
    return rows_and_columns.reshape(n_images, side * down, side * across, kernels)[:, : size[0], : size[1]]


def image_bytes(x: np.ndarray, weight: np.ndarray, matrices: Matrices) -> int:
    """Return how many bytes v and m of one image take."""
    down, across = matrices.squares(x.shape[2:])
    return (matrices.side + 2) ** 2 * down * across * (x.shape[1] + len(weight)) * x.itemsize


def both_ways(matrix: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return ``matrix a matrix^T``, for the first two axes of ``a``."""
    matrix = matrix.astype(a.dtype)
    a = np.tensordot(matrix, a, axes=(1, 1))  # a's second axis is summed over; the result's axis comes first
    return np.tensordot(matrix, a, axes=(1, 1))  # so this sums over what was a's first axis
