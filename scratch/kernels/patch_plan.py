"""PatchPlan: which of several equivalent ways to write a convolution as matrix products is fastest for its shapes.

    x -> x1 = pad(x) -> [blocks] -> patches (G, N P Q, K)

The ways, with the letters of `scratch.nn.conv`:

- im2col copies runs of adjacent channels, or (with few channels) of adjacent columns: see `scratch.kernels.patches`.
- A kernel whose height and width are multiples of the stride is applied to an image of stride-sized blocks, with
  stride 1 (space to depth).
- With stride 1, the gradient of x1 is itself a convolution: of the padded grad_y, with the flipped kernel. That is
  faster than col2im, unless x1 has far more pixels than grad_y, or few channels.
- A 3 x 3 or 2 x 2 kernel with stride 1 and many channels, also on blocks, needs no patches: see
  `scratch.kernels.winograd`.

The numbers in a patch and in the matrix w' of the kernels have the same order. Here it is (i, j, c), so that the
channels of channels-last images stay together; in the plain functions it is (c, i, j).
"""

import math

import numpy as np

from scratch.kernels import memory, products
from scratch.kernels.padded_images import NO_SIDES, Sides, pad_images, padded_size, unpad_images
from scratch.kernels.patches import Pair, by_planes, col2im, im2col, into_blocks, out_of_blocks, output_size
from scratch.kernels.winograd_form import Form
from scratch.kernels.winograd_tiles import OF_KERNEL

# From so many channels on, in and out, Winograd's convolution is faster than patches.
FEWEST_CHANNELS = 8
# Winograd's convolution is used if it takes at most this share of the plain convolution's products: its additions take
# time too, and its tiles reach beyond an output of odd size.
MOST_PRODUCTS = 2 / 3
# A layer's forward saves its patches, or tiles, for backward if they take no more than this. Making them again takes
# longer, but less memory.
MOST_PATCH_BYTES = 1 << 25


class PatchPlan:
    """How a convolution of images of one size does im2col, and how its backward undoes it.

    Parameters
    ----------
    image : (H, W)
        The images' rows and columns.
    kernels : (O, C/G, kh, kw)
        The shape of the weight.
    stride, dilation, sides, mode, groups
        As for `scratch.nn.conv.conv2d`; ``sides`` is its ``padding``, ((top, bottom), (left, right)).

    Attributes
    ----------
    size : (P, Q)
        The output's rows and columns; 0 or less where the kernel does not fit.
    form : Form or None
        How `scratch.kernels.winograd` does it, where that applies and is likely to be faster.
    flipped : bool
        Whether the input gradient is better computed by `convolve_flipped` than by `col2im`.
    """

    def __init__(
        self,
        image: Pair,
        kernels: tuple[int, ...],
        stride: Pair,
        dilation: Pair,
        sides: Sides,
        mode: str,
        groups: int,
    ) -> None:
        self.kernels, self.groups = kernels, groups
        self.sides, self.mode = sides, mode
        self.kernel, self.stride, self.dilation = kernels[2:], stride, dilation
        self.padded = padded_size(image, sides)
        self.size = output_size(self.padded, self.kernel, stride, dilation)
        self.block: Pair = (1, 1)
        whole = all(k % s == 0 for k, s in zip(self.kernel, stride, strict=True))
        if whole and stride != (1, 1) and dilation == (1, 1) and groups == 1:
            self.block, self.stride = stride, (1, 1)
            self.kernel = tuple([k // s for k, s in zip(self.kernel, stride, strict=True)])
        self.planes = self.block == (1, 1) and by_planes(kernels[1], self.size[1], self.kernel)
        # The size that `im2col` and `col2im` see: (rows, columns) of x1, or of its blocks.
        self.seen = self.padded
        if self.block != (1, 1):
            self.seen = tuple([p + k - 1 for p, k in zip(self.size, self.kernel, strict=True)])
        zeros_around = mode == "zeros" or sides == NO_SIDES
        self.direct = self.block == (1, 1) and zeros_around
        at_once = self.stride == dilation == (1, 1) and groups == 1 and zeros_around
        self.form: Form | None = None
        if at_once and suits_winograd((kernels[0], self._seen_channels, *self.kernel)):
            form = Form(self.kernel, self.block, sides, self.size)
            self.form = form if form.share <= MOST_PRODUCTS else None
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True)]
        # The padding of grad_y with which flipped kernels yield the gradient of x itself (direct), or of x1.
        beyond = sides if self.direct else NO_SIDES
        self.flipped_sides = tuple([(r - a, r - b) for r, (a, b) in zip(reach, beyond, strict=True)])
        target = image if self.direct else self.seen
        self.flipped = (
            self.stride == (1, 1)
            and self.form is None
            and not self.planes
            and min(map(min, self.flipped_sides)) >= 0
            and math.prod(target) <= 1.5 * math.prod(self.size)
        )

    def im2col(self, images: np.ndarray) -> np.ndarray:
        """Return the patches of ``images`` (n, C, H, W), as (G, n P Q, K)."""
        if self.block == (1, 1):
            seen = pad_images(images, self.sides, self.mode, channels_last=not self.planes)
        else:
            seen = into_blocks(pad_images(images, self.sides, self.mode), self.block, self.seen)
        return im2col(seen, self.kernel, self.stride, self.dilation, self.groups, self.planes)

    def image_bytes(self, dtype: np.dtype) -> int:
        """Return how much memory an image's patches and outputs, or its tiles, take."""
        if self.form is not None:
            return self.form.image_bytes(self._seen_channels, self.kernels[0], dtype)
        numbers = self.groups * math.prod(self.kernels[1:]) + self.kernels[0]
        return math.prod(self.size) * numbers * dtype.itemsize

    def keeps(self, count: int, dtype: np.dtype) -> bool:
        """Return whether forward should save the patches or tiles of ``count`` images for backward."""
        if self.form is not None:
            return are_kept(count, self.form.image_bytes(self._seen_channels, 0, dtype))
        return are_kept(count, math.prod(self.size) * self.groups * math.prod(self.kernels[1:]) * dtype.itemsize)

    def empty_patches(self, count: int, dtype: np.dtype) -> np.ndarray:
        """Return an array of arbitrary contents for the patches of ``count`` images, in the order of `im2col`."""
        rows, row = count * math.prod(self.size), math.prod(self.kernels[1:])
        if self.planes:
            return memory.empty((self.groups, row, rows), dtype).transpose(0, 2, 1)
        return memory.empty((self.groups, rows, row), dtype)

    def col2im(self, grad_patches: np.ndarray, grad_x: np.ndarray) -> None:
        """Write the gradient of the images into ``grad_x``, given that of ``im2col(images)``."""
        target = self._target(grad_x, direct=False)
        col2im(grad_patches, target, self.kernel, self.stride, self.dilation)
        self._undo_padding(target, grad_x)

    def convolve_flipped(self, grad_y: np.ndarray, flipped_matrix: np.ndarray, grad_x: np.ndarray) -> None:
        """Write the gradient of the images into ``grad_x``, given that of the output; for ``flipped`` plans."""
        target = self._target(grad_x, self.direct)
        padded = pad_images(grad_y, self.flipped_sides, channels_last=True)
        patches = im2col(padded, self.kernel, (1, 1), self.dilation, self.groups, planes=False)
        products.matmul(patches, flipped_matrix, out=as_rows(target, self.groups))
        self._undo_padding(target, grad_x)

    def undo(
        self, grad_y: np.ndarray, matrix: np.ndarray, flipped_matrix: np.ndarray | None, grad_x: np.ndarray
    ) -> None:
        """Write the gradient of the images into ``grad_x``, by whichever of the two ways is faster."""
        if flipped_matrix is not None:
            self.convolve_flipped(grad_y, flipped_matrix, grad_x)
            return
        grad_patches = self.empty_patches(len(grad_x), grad_x.dtype)
        products.matmul(as_rows(grad_y, self.groups), matrix.transpose(0, 2, 1), out=grad_patches)  # (G, n P Q, K)
        self.col2im(grad_patches, grad_x)

    def _target(self, grad_x: np.ndarray, direct: bool) -> np.ndarray:
        # Where the gradient of what is `seen` is written: grad_x itself, if the two are the same.
        if direct or (self.block == (1, 1) and self.seen == grad_x.shape[2:]):
            return grad_x
        shape = (len(grad_x), grad_x.shape[1] * math.prod(self.block), *self.seen)
        return memory.empty(shape, grad_x.dtype, channels_last=not self.planes)

    def _undo_padding(self, target: np.ndarray, grad_x: np.ndarray) -> None:
        if target is grad_x:
            return
        if self.block == (1, 1):
            grad_x[...] = unpad_images(target, self.sides, self.mode)
        elif self.padded == grad_x.shape[2:]:
            out_of_blocks(target, grad_x, self.block)
        else:
            grad_padded = memory.empty((*grad_x.shape[:2], *self.padded), grad_x.dtype, channels_last=True)
            out_of_blocks(target, grad_padded, self.block)
            grad_x[...] = unpad_images(grad_padded, self.sides, self.mode)

    def as_matrix(self, kernels: np.ndarray) -> np.ndarray:
        """Return w (O, C/G, kh, kw) as w' (G, K, O/G)."""
        return (
            self._split(kernels)
            .transpose(0, 3, 5, 4, 6, 2, 1)
            .reshape(self.groups, math.prod(self.kernels[1:]), self._outputs)
        )

    def as_kernels(self, matrix: np.ndarray) -> np.ndarray:
        """Return w' (G, K, O/G) as w (O, C/G, kh, kw)."""
        split = matrix.reshape(self.groups, *self.kernel, *self.block, self.kernels[1], self._outputs)
        if self.block == (1, 1):
            return split.transpose(0, 6, 5, 1, 3, 2, 4).reshape(self.kernels)
        # Channels last, so that the copy moves runs of them.
        o, c, kh, kw = self.kernels
        return split.transpose(0, 6, 1, 3, 2, 4, 5).reshape(o, kh, kw, c).transpose(0, 3, 1, 2)

    def as_flipped_matrix(self, kernels: np.ndarray) -> np.ndarray | None:
        """Return w, flipped in both directions and with its channel axes exchanged, as (G, kh kw O/G, C/G).

        None for a plan that is not ``flipped``, and for kernels that are not finite: times the zeros around the
        gradient they would be NaN.
        """
        if not self.flipped or not np.isfinite(kernels).all():
            return None
        flipped = self._split(kernels)[:, :, :, ::-1, :, ::-1]
        return flipped.transpose(0, 3, 5, 1, 4, 6, 2).reshape(
            self.groups, math.prod(self.kernel) * self._outputs, math.prod(self.block) * self.kernels[1]
        )

    @property
    def _seen_channels(self) -> int:
        return self.kernels[1] * math.prod(self.block)

    @property
    def _outputs(self) -> int:
        return self.kernels[0] // self.groups

    def _split(self, kernels: np.ndarray) -> np.ndarray:
        # (G, O/G, C/G, kernel rows of blocks, bh, kernel columns of blocks, bw)
        (kh, kw), (bh, bw) = self.kernel, self.block
        return kernels.reshape(self.groups, self._outputs, self.kernels[1], kh, bh, kw, bw)


def suits_winograd(kernels: tuple[int, ...]) -> bool:
    """Return whether Winograd's convolution applies to kernels (O, C/G, kh, kw), and is faster."""
    return kernels[2:] in OF_KERNEL and min(kernels[:2]) >= FEWEST_CHANNELS


def are_kept(count: int, image_bytes: int) -> bool:
    """Return whether forward saves the patches, or tiles, of ``count`` images, of so many bytes each, for backward."""
    return count * image_bytes <= MOST_PATCH_BYTES


def as_rows(y: np.ndarray, groups: int) -> np.ndarray:
    """Return y (n, O, P, Q) as (G, n P Q, O/G): a view, if y is channels-last."""
    out_channels = y.shape[1]
    places = y.shape[0] * y.shape[2] * y.shape[3]
    return y.transpose(0, 2, 3, 1).reshape(places, groups, out_channels // groups).transpose(1, 0, 2)
