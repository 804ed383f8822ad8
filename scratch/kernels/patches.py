"""im2col and col2im, which turn a convolution into a matrix product.

    N, C, H, W   the images, padded already            kh, kw   the kernel's height and width
    P, Q         rows and columns of the output        G        groups;  K = kh kw C/G  numbers in a patch

`windows` is a view of the patches: x itself with other strides. Its element (n, c, p, q, i, j), for a stride s and a
dilation d, is x[n, c, s p + d i, s q + d j]. `im2col` copies the patches into a matrix for each group, one patch per
row. `col2im` is its adjoint: the gradient of a pixel is the sum over the patches that contain it.

The matrix has one of two memory orders. Stored patch after patch ("rows"), it is copied in runs of kw C numbers from
channels-last images. With few channels these runs are too short, and the matrix is better stored column after column
("planes") and copied in runs of Q numbers from channels-first images. The BLAS takes either. `by_planes` chooses, and
the images should be padded into the matching memory order.

See Chellapilla et al., "High performance convolutional neural networks for document processing", 2006, section 3.
"""

from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scratch.kernels import memory

Pair = tuple[int, ...]  # down, across


def output_size(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """Return how many windows fit, down and across, into a padded image of ``size`` (H, W); 0 or less if none does."""
    return tuple([(size[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)])


def windows(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """Return a view of ``x`` (N, C, H, W) of shape (N, C, P, Q, kh, kw); do not write to it if windows overlap."""
    n, c, h, w = x.shape
    strides = (*x.strides, x.strides[2], x.strides[3])
    steps = (1, 1, *stride, *dilation)
    shape = (n, c, *output_size((h, w), kernel, stride, dilation), *kernel)
    return as_strided(x, shape, [a * b for a, b in zip(strides, steps, strict=True)])


def under(place: Pair, size: Pair, stride: Pair, dilation: Pair) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels under the kernel's ``place`` (i, j), for all of the P x Q windows."""
    (i, j), (p, q), (s, t), (d, e) = place, size, stride, dilation
    return slice(d * i, d * i + s * (p - 1) + 1, s), slice(e * j, e * j + t * (q - 1) + 1, t)


def by_planes(channels: int, columns: int, kernel: Pair) -> bool:
    """Return whether patches with so many channels (per group) are better copied from planes, Q columns at a time."""
    return kernel[1] * channels < columns


def im2col(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair, groups: int, planes: bool) -> np.ndarray:
    """Return the patches of ``x`` (N, C, H, W) as matrices (G, N P Q, K), the kernel's rows outermost within K.

    Parameters
    ----------
    x : numpy.ndarray
        The padded images.
    kernel, stride, dilation : pair of int
        Down and across.
    groups : int
        How many groups the channels are divided into.
    planes : bool
        The order in memory: False for patch after patch.
    """
    n, c = x.shape[:2]
    view = windows(x, kernel, stride, dilation)
    p, q = view.shape[2:4]
    grouped = view.reshape(n, groups, c // groups, *view.shape[2:])
    order = (1, 5, 6, 2, 0, 3, 4) if planes else (1, 0, 3, 4, 5, 6, 2)
    ordered = grouped.transpose(order)
    patches = memory.empty(ordered.shape, x.dtype)
    patches[...] = ordered
    rows, row = n * p * q, c // groups * kernel[0] * kernel[1]
    return patches.reshape(groups, row, rows).transpose(0, 2, 1) if planes else patches.reshape(groups, rows, row)


def col2im(grad_patches: np.ndarray, grad_x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair) -> None:
    """Write the gradient of ``x`` into ``grad_x``, given that of ``im2col(x, ...)``: the adjoint of `im2col`.

    Parameters
    ----------
    grad_patches : numpy.ndarray, shape (G, N P Q, K)
        In either order in memory.
    grad_x : numpy.ndarray, shape (N, C, H, W)
        Where to write.
    kernel, stride, dilation
        As for `im2col`.
    """
    n, c, h, w = grad_x.shape
    groups = len(grad_patches)
    p, q = output_size((h, w), kernel, stride, dilation)
    pieces = grad_patches.reshape(groups, n, p, q, *kernel, c // groups)
    pieces = pieces.transpose(1, 0, 6, 2, 3, 4, 5)  # (N, G, C/G, P, Q, kh, kw)
    grad_x[...] = 0
    grouped = grad_x.reshape(n, groups, c // groups, h, w)
    for i, j in product(range(kernel[0]), range(kernel[1])):
        rows, columns = under((i, j), (p, q), stride, dilation)
        grouped[..., rows, columns] += pieces[..., i, j]


def into_blocks(x: np.ndarray, block: Pair, size: Pair) -> np.ndarray:
    """Return ``x`` (N, C, H, W) as an image of blocks, (N, bh bw C, ..., ...), channels-last.

    If the kernel is a whole number of strides high and wide, the convolution is one of stride 1 on stride-sized blocks:
    runs of adjacent numbers get longer, and the input gradient needs no col2im.

    Parameters
    ----------
    x : numpy.ndarray
        The padded images.
    block : (bh, bw)
        A block's rows and columns.
    size : pair of int
        How many blocks, down and across; pixels left over at the bottom and on the right belong to no patch.
    """
    n, c = x.shape[:2]
    blocks = memory.empty((n, *size, *block, c), x.dtype)
    blocks[...] = _split(x, block, size).transpose(0, 2, 4, 3, 5, 1)
    return blocks.reshape(n, *size, -1).transpose(0, 3, 1, 2)


def out_of_blocks(grad_blocks: np.ndarray, grad_x: np.ndarray, block: Pair) -> None:
    """Write the gradient of ``x`` into ``grad_x``, given that of ``into_blocks(x, ...)``: the adjoint."""
    n, size = len(grad_blocks), grad_blocks.shape[2:]
    rows, columns = size[0] * block[0], size[1] * block[1]
    grad_x[:, :, rows:], grad_x[:, :, :rows, columns:] = 0, 0
    blocks = grad_blocks.transpose(0, 2, 3, 1).reshape(n, *size, *block, -1)
    _split(grad_x, block, size)[...] = blocks.transpose(0, 5, 1, 3, 2, 4)


def _split(x: np.ndarray, block: Pair, size: Pair) -> np.ndarray:
    # (N, C, blocks down, bh, blocks across, bw), a view.
    whole = x[:, :, : size[0] * block[0], : size[1] * block[1]]
    return whole.reshape(*x.shape[:2], size[0], block[0], size[1], block[1])
