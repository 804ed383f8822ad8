"""Where the windows of a pooling layer are: machinery that MaxPool2d and AvgPool2d share.

A window begins every s pixels and takes k of them, d apart, down and across. Those that fit into the padded image
count; ceil_mode counts one more that sticks out, if it begins inside the image or the padding before it.
"""

from itertools import product

import numpy as np

from scratch.checks import name_of
from scratch.kernels import memory
from scratch.kernels.patches import Pair, under, windows
from scratch.nn.images import pair
from scratch.nn.module import Module
from scratch.nn.padding import NO_SIDES, Sides


class PoolWindows(Module):
    """Base of MaxPool2d and AvgPool2d: their common options, and their windows."""

    def __init__(self, kernel_size: object, stride: object, padding: object, dilation: object, ceil_mode: bool) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self._kernel = pair(self, "kernel_size", kernel_size, least=1)
        self._stride = pair(self, "stride", self.stride, least=1)
        self._dilation = pair(self, "dilation", dilation, least=1)
        self._padding = pair(self, "padding", padding, least=0)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self._dilation, self._kernel, strict=True)])
        if any(2 * side > extent for side, extent in zip(self._padding, self._extent, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected padding of at most half the window's extent {self._extent}, got {padding}"
            )
        # Whether every pixel is in one window, but for a rest at the bottom and on the right.
        self._tiles = self._stride == self._kernel and self._dilation == (1, 1)
        self._places = list(product(range(self._kernel[0]), range(self._kernel[1])))

    def _windows(self, images: np.ndarray) -> tuple[Pair, Sides]:
        """Return the output's size (P, Q) and the sides to pad such that every window fits."""
        if images.shape[1] == 0:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one channel, got {images.shape}")
        size, sides = [], []
        for axis in (0, 1):
            length, side = images.shape[2 + axis], self._padding[axis]
            extent, stride = self._extent[axis], self._stride[axis]
            room = length + 2 * side - extent
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            if self.ceil_mode and (count - 1) * stride >= length + side:
                count -= 1
            if count < 1:
                raise RuntimeError(
                    f"{name_of(self)}: expected an image of at least the window's extent {self._extent}, "
                    f"got {images.shape[2:]} with padding {self._padding}"
                )
            size.append(count)
            sides.append((side, max((count - 1) * stride + extent - length - side, 0)))
        return tuple(size), tuple(sides)

    def _under(self, x1: np.ndarray, size: Pair, place: Pair) -> np.ndarray:
        """Return the view x1_(ij) of shape (N, C, P, Q), for a ``place`` (i, j)."""
        return x1[(..., *under(place, size, self._stride, self._dilation))]

    def _by_place(self, x1: np.ndarray) -> np.ndarray:
        """Return a view (kh, kw, N, C, P, Q), of x1_(ij) at (i, j); where windows overlap, only to be read."""
        return windows(x1, self._kernel, self._stride, self._dilation).transpose(4, 5, 0, 1, 2, 3)

    def _begin_grad_x1(self, grad_x: np.ndarray, size: Pair, sides: Sides) -> np.ndarray:
        """Return an array to sum x1's gradient in: ``grad_x`` itself, if nothing is padded."""
        n, c, h, w = grad_x.shape
        if sides != NO_SIDES:
            grad_x = memory.empty_like(grad_x, (n, c, h + sum(sides[0]), w + sum(sides[1])))
        if self._tiles:
            # `_share_out` writes to all pixels but those that no window reaches.
            grad_x[:, :, size[0] * self._kernel[0] :] = 0
            grad_x[:, :, :, size[1] * self._kernel[1] :] = 0
        else:
            grad_x[...] = 0
        return grad_x

    def _share_out(self, shares: np.ndarray, grad_x1: np.ndarray) -> None:
        """Add ``shares`` (kh kw, N, C, P, Q), one for each place (i, j), to grad_x1_(ij)."""
        if self._tiles:
            covered = [slice(count * k) for count, k in zip(shares.shape[3:], self._kernel, strict=True)]
            tiles = self._by_place(grad_x1[(..., *covered)])
            tiles[...] = shares.reshape(tiles.shape)
        else:
            for place, share in zip(self._places, shares, strict=True):
                self._under(grad_x1, share.shape[2:], place)[...] += share
