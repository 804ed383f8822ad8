"""Where the windows of a pooling are, and how their gradients are summed: what the kernels of pooling share.

A window begins every s pixels and takes k of them, d apart, down and across. Those that fit into the padded image
count; ceil_mode counts one more that reaches beyond it, if it begins inside the image or the padding before it.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from scratch.kernels import memory
from scratch.kernels.padded_images import NO_SIDES, Sides
from scratch.kernels.patches import Pair, under


class PoolWindows(NamedTuple):
    """The windows of images of one size.

    Attributes
    ----------
    kernel, stride, dilation : pair of int
        Down and across.
    size : (P, Q)
        How many windows there are, down and across.
    sides : ((top, bottom), (left, right))
        The padding with which every window fits.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    size: Pair
    sides: Sides

    @property
    def places(self) -> list[Pair]:
        """The places (i, j) of a window in reading order."""
        return list(product(range(self.kernel[0]), range(self.kernel[1])))

    @property
    def number(self) -> np.dtype:
        """The smallest dtype for the number of a place, and for how many there are."""
        return np.min_scalar_type(len(self.places))

    @property
    def tile(self) -> bool:
        """Whether each pixel is in exactly one window, except for those left over at the bottom and on the right."""
        return self.stride == self.kernel and self.dilation == (1, 1)


def pool_windows(
    image: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> PoolWindows:
    """Return the windows of images of a size (H, W)."""
    size, sides = [], []
    for axis in (0, 1):
        extent = dilation[axis] * (kernel_size[axis] - 1) + 1
        room = image[axis] + 2 * padding[axis] - extent
        count = (-(-room // stride[axis]) if ceil_mode else room // stride[axis]) + 1
        if ceil_mode and (count - 1) * stride[axis] >= image[axis] + padding[axis]:
            count -= 1
        size.append(count)
        beyond = (count - 1) * stride[axis] + extent - image[axis] - padding[axis]
        sides.append((padding[axis], max(beyond, 0)))
    return PoolWindows(kernel_size, stride, dilation, tuple(size), tuple(sides))


def pixels_at(place: Pair, x1: np.ndarray, where: PoolWindows) -> np.ndarray:
    """Return the view (N, C, P, Q) of the pixels of ``x1``, padded images, at a ``place`` (i, j) of the windows."""
    rows, columns = under(place, where.size, where.stride, where.dilation)
    return x1[..., rows, columns]


def beats(b: np.ndarray, a: np.ndarray, may_be_nan: bool, out: np.ndarray) -> np.ndarray:
    """Return whether ``b``, which is read after ``a``, is the maximum of the two: larger, or a NaN."""
    np.greater(b, a, out=out)
    if may_be_nan:
        out |= np.isnan(b)
    return out


def begin_grad_x1(grad_x: np.ndarray, where: PoolWindows) -> np.ndarray:
    """Return an array to sum the gradient of x1 in: ``grad_x`` itself, if nothing is padded."""
    n, c, h, w = grad_x.shape
    if where.sides != NO_SIDES:
        grad_x = memory.empty_like(grad_x, (n, c, h + sum(where.sides[0]), w + sum(where.sides[1])))
    if where.tile:
        # The caller writes to all pixels except those that are in no window.
        grad_x[:, :, where.size[0] * where.kernel[0] :] = 0
        grad_x[:, :, :, where.size[1] * where.kernel[1] :] = 0
    else:
        grad_x[...] = 0
    return grad_x


def share_out(share: np.ndarray, grad_x1: np.ndarray, where: PoolWindows) -> None:
    """Add ``share`` (N, C, P, Q), the gradient of each of a window's pixels, to ``grad_x1``."""
    for place in where.places:
        pixels = pixels_at(place, grad_x1, where)
        if where.tile:
            pixels[...] = share
        else:
            pixels += share
