"""Convolution in chunks of images on several threads, each in the way that `scratch.kernels.patch_plan` chooses.

A chunk is a few images whose patches stay in the cache between im2col and the matrix product. Backward needs the
patches too: if they are few, forward saves them; if they are many, backward runs im2col again. Outputs and input
gradients have the shape (N, C, H, W) and are channels-last in memory, (N, H, W, C), so that patches are runs of
adjacent numbers. Inputs may have any memory order.

A kernel that is two or three strides high and wide and has many channels is left to `scratch.kernels.winograd`, as long
as a chunk's numbers are finite.
"""

import math

import numpy as np

from scratch.kernels import memory, products, threads, winograd
from scratch.kernels.output_mask import is_read
from scratch.kernels.padded_images import NO_SIDES, Sides, pad_images
from scratch.kernels.patch_plan import PatchPlan, as_rows
from scratch.kernels.patches import Pair


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | float,
    stride: Pair,
    padding: Sides,
    dilation: Pair,
    groups: int,
    padding_mode: str,
) -> tuple[np.ndarray, tuple]:
    """Convolve ``x`` with the kernels ``weight``, and add the bias."""
    plan = PatchPlan(x.shape[2:], weight.shape, stride, dilation, padding, padding_mode, groups)
    y = memory.empty((len(x), len(weight), *plan.size), x.dtype, channels_last=True)
    matrix = plan.as_matrix(weight)  # w' (G, K, O/G)
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[0])
    own_bias = bias if isinstance(bias, np.ndarray) else None
    # Repeated for a whole row of the output, so that the addition works on long contiguous runs.
    bias_of_row = None if own_bias is None else np.tile(own_bias, (plan.size[1], 1))

    chunks = threads.chunks(len(x), plan.image_bytes(x.dtype))
    keeps = plan.keeps(len(x), x.dtype)
    kept: list[np.ndarray | None] = [None] * len(chunks)  # each chunk's tiles or patches

    def convolve(part: tuple[int, slice]) -> None:
        index, chunk = part
        if kernels is not None:
            kept[index] = kernels.form.empty_tiles(x[chunk]) if keeps else None
            if winograd.convolve(x[chunk], kernels, own_bias, y[chunk], kept[index]):
                return
        patches = plan.im2col(x[chunk])  # (G, n P Q, K)
        if keeps and kernels is None:
            kept[index] = patches
        products.matmul(patches, matrix, out=as_rows(y[chunk], groups))
        if bias_of_row is not None:
            place_by_place = y[chunk].transpose(0, 2, 3, 1)
            place_by_place += bias_of_row

    threads.run(convolve, enumerate(chunks))
    # If all patches are saved, backward does not need the input, and no copy of a caller's array has to be kept.
    images = x if kernels is not None or not keeps else None
    return y, (x.shape, images, plan, chunks, kept)


def conv2d_backward(
    grad_y: np.ndarray, weight: np.ndarray, stride: Pair, dilation: Pair, groups: int, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `conv2d`; skip gradients that nobody reads."""
    shape, x, plan, chunks, kept = saved
    matrix = plan.as_matrix(weight)  # w' (G, K, O/G)
    grad_x = memory.empty(shape, matrix.dtype, channels_last=True) if is_read(0) else None
    # One gradient for each chunk, to be summed in order afterwards, so that results do not depend on timing.
    grad_matrices = memory.empty((len(chunks), *matrix.shape), matrix.dtype) if is_read(1) else None
    grad_biases = np.empty((len(chunks), groups, 1, matrix.shape[2]), matrix.dtype) if is_read(2) else None
    flipped = plan.as_flipped_matrix(weight) if grad_x is not None else None
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[0]).transposed()
    by_image = plan.planes and grad_y.flags.c_contiguous

    def patches_of(index: int, chunk: slice) -> np.ndarray:
        patches = kept[index] if kernels is None else None
        return plan.im2col(x[chunk]) if patches is None else patches

    def undo(part: tuple[int, slice]) -> None:
        index, chunk = part
        grad_matrix = None if grad_matrices is None else grad_matrices[index]
        grad_bias = None if grad_biases is None else grad_biases[index]
        grad_chunk = None if grad_x is None else grad_x[chunk]
        if kernels is not None and winograd.convolve_backward(
            x[chunk], kernels, grad_y[chunk], grad_matrix, grad_bias, grad_chunk, kept[index]
        ):
            return
        if by_image:
            patches = None if grad_matrix is None else patches_of(index, chunk)
            _undo_by_image(grad_y[chunk], plan, patches, matrix, grad_matrix, grad_bias, grad_chunk)
            return
        grad = pad_images(grad_y[chunk], NO_SIDES, channels_last=True)  # reordered once, for all that read it
        grad_rows = as_rows(grad, groups)  # (G, n P Q, O/G)
        if grad_bias is not None:
            # The sum over rows is a product with ones: the BLAS does that faster.
            ones = np.ones((1, grad_rows.shape[1], 1), grad_rows.dtype)
            grad_bias[...] = products.sum_products(ones, grad_rows)
        if grad_matrix is not None:
            grad_matrix[...] = products.sum_products(patches_of(index, chunk), grad_rows)
        if grad_chunk is not None:
            plan.undo(grad, matrix, flipped, grad_chunk)

    threads.run(undo, enumerate(chunks))
    grad_weight = None if grad_matrices is None else plan.as_kernels(grad_matrices.sum(axis=0))
    grad_bias = None if grad_biases is None else grad_biases.sum(axis=0).reshape(-1)
    return grad_x, grad_weight, grad_bias


def _undo_by_image(
    grad_y: np.ndarray,
    plan: PatchPlan,
    patches: np.ndarray | None,
    matrix: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
) -> None:
    """Write the gradients that are asked for, where patches are stored as planes and ``grad_y`` is channels-first.

    With few channels, making such a gradient channels-last takes as long as its products. Image by image, the products
    can read both arrays as they are.
    """
    n, groups = len(grad_y), len(matrix)
    places = math.prod(grad_y.shape[2:])
    grads = grad_y.reshape(n, groups, matrix.shape[2], places)

    def images_of(patches: np.ndarray) -> np.ndarray:  # (n, G, K, P Q), a view
        return patches.swapaxes(1, 2).reshape(groups, matrix.shape[1], n, places).transpose(2, 0, 1, 3)

    if grad_bias is not None:
        grad_bias[...] = (grads @ np.ones((places, 1), grads.dtype)).sum(axis=0).swapaxes(1, 2)
    if grad_matrix is not None and patches is not None:
        grad_matrix[...] = products.matmul(images_of(patches), grads.swapaxes(2, 3)).sum(axis=0)
    if grad_x is not None:
        grad_patches = plan.empty_patches(n, grads.dtype)
        of_each = np.broadcast_to(matrix, (n, *matrix.shape))
        products.matmul(of_each, grads, out=images_of(grad_patches))
        plan.col2im(grad_patches, grad_x)
