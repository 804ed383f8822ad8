"""Transposed convolution in chunks of images on several threads: `scratch.kernels.conv` the other way round.

Forward is the input gradient of the convolution that maps images like y to images like x, in whichever way
`scratch.kernels.patch_plan` finds fastest. Backward is the forward of that convolution and its weight gradient, both
from the same patches.
"""

import numpy as np

from scratch.kernels import memory, products, threads, winograd
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read
from scratch.kernels.padded_images import pad_images
from scratch.kernels.patch_plan import PatchPlan, as_rows
from scratch.kernels.patches import Pair
from scratch.kernels.winograd_form import Kernels


def conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | float,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
) -> tuple[np.ndarray, tuple]:
    """Add up the kernels of ``weight``, multiplied by each pixel of ``x``, and add the bias."""
    # A whole stride of additional rows is what a row of zeros at the bottom of x adds.
    sides = tuple([(0, more // s) for more, s in zip(output_padding, stride, strict=True)])
    x1 = pad_images(x, sides)
    size = tuple(
        [
            s * (n - 1) + d * (k - 1) + 1 - 2 * a + more
            for n, k, s, d, a, more in zip(
                x.shape[2:], weight.shape[2:], stride, dilation, padding, output_padding, strict=True
            )
        ]
    )
    plan = PatchPlan(size, weight.shape, stride, dilation, tuple([(a, a) for a in padding]), "zeros", groups)
    y = memory.empty((len(x), groups * weight.shape[1], *size), x.dtype, channels_last=True)
    matrix = plan.as_matrix(weight)  # w' (G, K, C/G)
    flipped = plan.as_flipped_matrix(weight)
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[0]).transposed()
    # Repeated for a whole row of the output, so that the addition works on long contiguous runs.
    bias_of_row = np.tile(bias, (size[1], 1)) if isinstance(bias, np.ndarray) else None

    def spread(chunk: slice) -> None:
        if kernels is None or not winograd.convolve_backward(y[chunk], kernels, x1[chunk], None, None, y[chunk]):
            plan.undo(x1[chunk], matrix, flipped, y[chunk])
        if bias_of_row is not None:
            place_by_place = y[chunk].transpose(0, 2, 3, 1)
            place_by_place += bias_of_row

    chunks = threads.chunks(len(x), plan.image_bytes(x.dtype))
    threads.run(spread, chunks)
    return y, (x1, x.shape[2:], plan, chunks)


def conv_transpose2d_backward(
    grad_y: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, groups: int, dilation: Pair, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `conv_transpose2d`; skip gradients that nobody reads."""
    x1, image, plan, chunks = saved
    matrix = plan.as_matrix(weight)  # w' (G, K, C/G)
    grad_x1 = memory.empty(x1.shape, x1.dtype, channels_last=True) if is_read(0) else None
    # One gradient for each chunk, to be summed in order afterwards, so that results do not depend on timing.
    grad_matrices = memory.empty((len(chunks), *matrix.shape), matrix.dtype) if is_read(1) else None
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[0])

    def undo(part: tuple[int, slice]) -> None:
        index, chunk = part
        grad_matrix = None if grad_matrices is None else grad_matrices[index]
        grad_chunk = None if grad_x1 is None else grad_x1[chunk]
        if kernels is not None and _by_tiles(x1[chunk], kernels, grad_y[chunk], grad_matrix, grad_chunk):
            return
        grad_patches = plan.im2col(grad_y[chunk])  # (G, n H W, K)
        if grad_chunk is not None:
            products.matmul(grad_patches, matrix, out=as_rows(grad_chunk, groups))
        if grad_matrix is not None:
            grad_matrix[...] = products.sum_products(grad_patches, as_rows(x1[chunk], groups))

    if grad_x1 is not None or grad_matrices is not None:
        threads.run(undo, enumerate(chunks))
    grad_x = None if grad_x1 is None else grad_x1[:, :, : image[0], : image[1]]
    grad_weight = None if grad_matrices is None else plan.as_kernels(grad_matrices.sum(axis=0))
    grad_bias = channel_sum(grad_y) if is_read(2) else None
    return grad_x, grad_weight, grad_bias


def _by_tiles(
    x1: np.ndarray,
    kernels: Kernels,
    grad_y: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_x1: np.ndarray | None,
) -> bool:
    """Write the gradients that are asked for; return whether they can be trusted, as `winograd.convolve` does."""
    v = kernels.form.empty_tiles(grad_y) if grad_matrix is not None and grad_x1 is not None else None
    trusted = grad_x1 is None or winograd.convolve(grad_y, kernels, None, grad_x1, v)
    if trusted and grad_matrix is not None:
        trusted = winograd.convolve_backward(grad_y, kernels, x1, grad_matrix, None, None, v)
    return trusted
