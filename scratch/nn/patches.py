"""Cutting an image into patches, and folding patches back: what makes a convolution a matrix product.

    N, C, H, W   the images, padded already            kh, kw   the kernel's height and width
    P, Q         rows and columns of the output        G        groups;  K = kh kw C/G  numbers in a patch

`windows` shows the patches without copying: its element (n, c, p, q, i, j) is x[n, c, s p + d i, s q + d j], for a
stride s and a dilation d, so it is x itself seen with other strides. `cut` copies them into a matrix with a patch to
the row, for each group; `fold` is the adjoint of `cut`: every pixel sums over the patches it is in.

Two orders of that matrix in memory are of use. Patch after patch ("rows") is copied in runs of kw C numbers from
channels-last images. With few channels these runs are too short to be worth it, and the matrix is better laid out with
its columns in one piece ("planes"), copied in runs of Q numbers from images whose columns are adjacent. Either is a
plain matrix to the BLAS. `by_planes` chooses, and the images should be padded into the order that it says.

See Chellapilla et al., "High performance convolutional neural networks for document processing", 2006, section 3.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scratch import memory

Pair = tuple[int, int]


def output_size(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """Return how many windows fit, down and across, into a padded image of ``size`` (H, W); 0 or less if none does."""
    return tuple([(size[a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)])


def windows(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair) -> np.ndarray:
    """Return a view of ``x`` (N, C, H, W) of shape (N, C, P, Q, kh, kw), to be read only: its elements overlap."""
    n, c, h, w = x.shape
    strides = (*x.strides, x.strides[2], x.strides[3])
    steps = (1, 1, *stride, *dilation)
    shape = (n, c, *output_size((h, w), kernel, stride, dilation), *kernel)
    return as_strided(x, shape, [a * b for a, b in zip(strides, steps, strict=True)], writeable=False)


def under(place: Pair, size: Pair, stride: Pair, dilation: Pair) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels under the kernel's ``place`` (i, j), for all of the P x Q windows."""
    starts = [d * i for d, i in zip(dilation, place, strict=True)]
    return tuple([slice(a, a + s * (p - 1) + 1, s) for a, s, p in zip(starts, stride, size, strict=True)])


def by_planes(channels: int, columns: int, kernel: Pair) -> bool:
    """Return whether patches of so many channels (of a group) are better cut from planes, Q columns at a time."""
    return kernel[1] * channels < columns


def cut(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair, groups: int, planes: bool) -> np.ndarray:
    """Return the patches of ``x`` (N, C, H, W) as matrices (G, N P Q, K), the kernel's rows outermost within K.

    Parameters
    ----------
    x : numpy.ndarray
        The padded images.
    kernel, stride, dilation : pair of int
        Down and across.
    groups : int
        How many groups the channels fall into.
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


def fold(
    grad_patches: np.ndarray, shape: tuple[int, ...], kernel: Pair, stride: Pair, dilation: Pair, planes: bool
) -> np.ndarray:
    """Return the gradient of ``x`` from that of ``cut(x, ...)``: the adjoint of `cut`.

    Parameters
    ----------
    grad_patches : numpy.ndarray, shape (G, N P Q, K)
        In the order of memory that ``planes`` says.
    shape : (N, C, H, W)
        The shape of ``x``.
    kernel, stride, dilation, planes
        As for `cut`.
    """
    n, c, h, w = shape
    groups = len(grad_patches)
    p, q = output_size((h, w), kernel, stride, dilation)
    grad_x = memory.empty(shape, grad_patches.dtype, channels_last=not planes)
    grad_x[...] = 0
    grad_x_grouped = grad_x.reshape(n, groups, c // groups, h, w)
    if planes:
        pieces = grad_patches.transpose(0, 2, 1).reshape(groups, *kernel, c // groups, n, p, q)
        pieces = pieces.transpose(1, 2, 4, 0, 3, 5, 6)  # (kh, kw, N, G, C/G, P, Q)
    else:
        pieces = grad_patches.reshape(groups, n, p, q, *kernel, c // groups)
        pieces = pieces.transpose(4, 5, 1, 0, 6, 2, 3)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            grad_x_grouped[(..., *under((i, j), (p, q), stride, dilation))] += pieces[i, j]
    return grad_x
