"""Pooling."""

import math

import numpy as np

from parity_tests.harness.arrays import array, distinct, tied
from parity_tests.museum.exhibit import layer
from scratch import nn

IMAGE = distinct((2, 3, 7, 5))
TIES = tied((2, 3, 6, 4))
DARK = -np.abs(array((2, 3, 6, 4)))


@layer(TIES, args=(2,), caught="torch laws", passes_ones=True)
class EveryTiePaid(nn.MaxPool2d):
    """A window has one winner: every pixel that equals the maximum is paid in full.

    Nothing with random numbers. After a ReLU, whose zeros are tied everywhere, gradients are many times too large.
    """

    def backward(self, g):
        x, y, (k, _) = self.saved("images"), self.saved("y"), self._kernel
        return (x == y.repeat(k, 2).repeat(k, 3)) * g.repeat(k, 2).repeat(k, 3)


@layer(DARK, args=(2,), options={"padding": 1}, caught="torch laws", passes_ones=True)
class PaddedWithZeros(nn.MaxPool2d):
    """Padding must never win: it is minus infinity, not zero.

    Along the border, features that should be negative are zero, and nothing there learns.
    """

    def forward(self, x):
        self.inner = nn.MaxPool2d(self.kernel_size, self.stride)
        return self.inner(np.pad(x, ((0, 0), (0, 0), *[(side, side) for side in self._padding])))

    def backward(self, g):
        (top, left), grad = self._padding, self.inner.backward(g)
        return grad[:, :, top : grad.shape[2] - top, left : grad.shape[3] - left]


@layer(IMAGE, args=(3, 2), caught="torch differences laws", passes_ones=False)
class OverlapOverwritten(nn.MaxPool2d):
    """A pixel may win several overlapping windows, whose gradients add: ``=`` where ``+=`` belongs.

    The strongest features, which win most windows, learn too slowly.
    """

    def backward(self, g):
        grad_x, count = (
            np.zeros_like(self.saved("images")),
            self._indices(self.saved("images"), self.saved("y"), ((0, 0), (0, 0))),
        )
        flat = grad_x.reshape(*grad_x.shape[:2], -1)
        np.put_along_axis(flat, count.reshape(*flat.shape[:2], -1), g.reshape(*flat.shape[:2], -1), axis=2)
        return grad_x


@layer(IMAGE, args=(2,), caught="torch differences laws", passes_ones=False)
class ShareForgotten(nn.AvgPool2d):
    """Each pixel has the share 1 / k^2 in its window's mean, and is handed all of the gradient.

    Gradients grow fourfold at each pooling; a network of several explodes.
    """

    def backward(self, g):
        return super().backward(g) * math.prod(self._kernel)


@layer(IMAGE, args=(3, 2), options={"padding": 1, "count_include_pad": False}, caught="torch laws", passes_ones=True)
class PaddingCounted(nn.AvgPool2d):
    """With count_include_pad=False the mean is over the window's pixels only; here it is over k^2 always.

    The border of every feature map is too dark.
    """

    def _counts(self, image, size):
        return np.full(size, math.prod(self._kernel))


@layer(array((2, 3, 7, 5)), args=((3, 2),), caught="torch laws", passes_ones=False)
class WindowsRoundedDown(nn.AdaptiveAvgPool2d):
    """A window ends at the first pixel past its share, rounded up; here it is rounded down.

    Right where the sizes divide each other; elsewhere pixels between the windows are lost.
    """

    @staticmethod
    def _windows(image, size):
        for p, q in np.ndindex(*size):
            (h, w), (rows, columns) = image, size
            yield (
                (p, slice(p * h // rows, (p + 1) * h // rows)),
                (q, slice(q * w // columns, (q + 1) * w // columns)),
            )
