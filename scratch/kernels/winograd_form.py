"""What a convolution looks like in the tiles of `scratch.kernels.winograd`: their number, their size, its kernels."""

from typing import NamedTuple

import numpy as np

from scratch.kernels import memory, products
from scratch.kernels.padded_images import Sides
from scratch.kernels.patches import Pair
from scratch.kernels.winograd_tiles import OF_KERNEL, Tiles


class Form(NamedTuple):
    """What a convolution looks like in tiles.

    Attributes
    ----------
    kernel : (2, 2) or (3, 3)
        The kernel's height and width, in blocks.
    block : (bh, bw)
        The rows and columns of a block, which are the strides.
    sides : ((top, bottom), (left, right))
        How many zeros the images are padded with.
    size : (P, Q)
        The output's rows and columns.
    """

    kernel: Pair
    block: Pair
    sides: Sides
    size: Pair

    @property
    def tiles(self) -> Tiles:
        """The additions."""
        return OF_KERNEL[self.kernel]

    @property
    def tiled_size(self) -> Pair:
        """How many tiles lie below one another, and side by side."""
        return -(-self.size[0] // 2), -(-self.size[1] // 2)

    @property
    def share(self) -> float:
        """The share of the plain convolution's products that this takes."""
        (down, across), (kh, kw), (p, q) = self.tiled_size, self.kernel, self.size
        return self.tiles.points**2 * down * across / max(kh * kw * p * q, 1)

    def channels(self, x_shape: tuple[int, ...]) -> int:
        """Return how many numbers a block has, for images (N, C, H, W)."""
        return x_shape[1] * self.block[0] * self.block[1]

    def image_bytes(self, channels: int, out_channels: int, dtype: np.dtype) -> int:
        """Return how much memory v and m of one image take, given how many numbers a block and an output have."""
        down, across = self.tiled_size
        return self.tiles.points**2 * down * across * (channels + out_channels) * dtype.itemsize

    def empty_tiles(self, x: np.ndarray) -> np.ndarray:
        """Return room for v, the transformed images of ``x`` (N, C, H, W)."""
        points = self.tiles.points
        return memory.empty((points, points, *self.tiled_size, len(x), self.channels(x.shape)), x.dtype)

    def transform_kernels(self, matrix: np.ndarray) -> "Kernels":
        """Return the transformed kernels, given w' (kh kw C, O), whose rows are in the order i, j, c."""
        g = self.tiles.both_ways.astype(matrix.dtype)
        u = products.matmul(g, matrix.reshape(g.shape[1], -1)).reshape(len(g), -1, matrix.shape[1])  # F2
        return Kernels(self, u)


class Kernels(NamedTuple):
    """A convolution's kernels, transformed, and its form.

    Attributes
    ----------
    form : Form
    u : numpy.ndarray, shape (16, C, O) or (9, C, O)
        For `convolve_backward` transposed, (..., O, C).
    """

    form: Form
    u: np.ndarray

    def transposed(self) -> "Kernels":
        """Return the same for `convolve_backward`, whose products are quicker if the transpose is contiguous."""
        return Kernels(self.form, self.u.swapaxes(1, 2).copy())
