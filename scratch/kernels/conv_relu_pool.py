"""Conv2d, ReLU and MaxPool2d(2) in a row, a few images at a time: intermediate results never leave the cache.

Layer by layer, the convolution's output goes to memory and back three times, and so does its gradient. Here a chunk's
outputs are pooled as soon as they are computed, and all that is saved of them for backward is one byte for each:
whether it was the largest of its window, and positive. The patches, or tiles, are saved too if they are few.

The largest of four numbers is found fastest if these are in four planes, of even and odd rows and of even and odd
columns. So the outputs are computed in this order from the start:

    N, C, H, W   images          O   output channels       P2, Q2   rows and columns after pooling
    planes       (2, 2, P2, Q2, N, O): planes[a, b, p, q] are the outputs at (2 p + a, 2 q + b)

`scratch.kernels.winograd` produces this order anyway. Without it, patches are copied in this order, with the images of
a chunk next to each other: one run of numbers for each place, however few channels there are.

A ReLU and a maximum can be exchanged, max(relu(a), relu(b)) = relu(max(a, b)), and after pooling only a quarter of the
numbers is left. A window whose largest number is 0 or less passes no gradient on in either order. Which of two zeros
comes out, 0.0 or -0.0, may differ.
"""

import math
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scratch.kernels import memory, patch_plan, products, threads, winograd
from scratch.kernels.blocks import constant
from scratch.kernels.keep_where import keep_where
from scratch.kernels.output_mask import is_read
from scratch.kernels.padded_images import Sides, padded_size
from scratch.kernels.patches import output_size
from scratch.kernels.pool_windows import beats
from scratch.kernels.winograd_form import Form

# If a kernel's row has more numbers than this, patches are copied image by image.
SHORT_ROW = 24


def conv2d_relu_max_pool2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | float, sides: Sides, keep: bool
) -> tuple[np.ndarray, tuple]:
    """Convolve with stride 1, take the positive part, and then the largest number of each 2 x 2 square.

    Parameters
    ----------
    x : numpy.ndarray, shape (N, C, H, W)
        The images.
    weight : numpy.ndarray, shape (O, C, kh, kw)
        The kernels.
    bias : numpy.ndarray of shape (O,), or 0.0
        What to add.
    sides : ((top, bottom), (left, right))
        How many zeros the images are padded with.
    keep : bool
        Whether a backward will follow.

    Returns
    -------
    y : numpy.ndarray, shape (N, O, P2, Q2)
    saved : tuple
        What `conv2d_relu_max_pool2d_backward` reads.
    """
    plan = _Plan(x, weight, sides)
    y = memory.empty((len(x), len(weight), *plan.pooled), x.dtype, channels_last=True)
    matrix = plan.as_matrix(weight, bias)
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[:-1])
    own_bias = bias if isinstance(bias, np.ndarray) else None
    chunks = threads.chunks(len(x), plan.image_bytes)
    wins: list[np.ndarray | None] = [None] * len(chunks)
    kept: list[np.ndarray | None] = [None] * len(chunks)  # each chunk's tiles or patches
    keeps = keep and patch_plan.are_kept(len(x), plan.kept_bytes)

    def work(part: tuple[int, slice]) -> None:
        index, chunk = part
        planes, trusted = None, False
        if kernels is not None:
            kept[index] = kernels.form.empty_tiles(x[chunk]) if keeps else None
            planes, trusted = winograd.convolve_planes(x[chunk], kernels, own_bias, kept[index])
        if planes is None or not trusted:
            planes = memory.empty(plan.planes_of(chunk), x.dtype)
            patches = plan.im2col(x[chunk])
            products.matmul(patches, matrix, out=planes.reshape(-1, len(weight)))
            if keeps and kernels is None:
                kept[index] = patches
        wins[index] = _pool(planes, y[chunk].transpose(2, 3, 0, 1), keep)

    threads.run(work, enumerate(chunks))
    return y, (x, plan, chunks, wins, kept)


def conv2d_relu_max_pool2d_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `conv2d_relu_max_pool2d`; skip gradients that nobody reads."""
    x, plan, chunks, wins, kept = saved
    matrix = plan.as_matrix(weight, 0.0)
    kernels = None if plan.form is None else plan.form.transform_kernels(matrix[:-1]).transposed()
    grad_x = memory.empty(x.shape, x.dtype, channels_last=True) if is_read(0) else None
    # For each chunk the gradient of the kernels, with that of the bias in the last row; they are summed in order.
    grad_matrices = memory.empty((len(chunks), *matrix.shape), x.dtype) if is_read(1) or is_read(2) else None

    def work(part: tuple[int, slice]) -> None:
        index, chunk = part
        grad, won = grad_y[chunk].transpose(2, 3, 0, 1), wins[index]
        grad_matrix = None if grad_matrices is None else grad_matrices[index]
        grad_chunk = None if grad_x is None else grad_x[chunk]
        if kernels is not None:
            rows, row = (None, None) if grad_matrix is None else (grad_matrix[:-1], grad_matrix[-1])
            write = lambda planes: _unpool(grad, won, planes)  # noqa: E731
            if winograd.convolve_planes_backward(x[chunk], kernels, write, rows, row, grad_chunk, kept[index]):
                return
        grad_planes = memory.empty(plan.planes_of(chunk), x.dtype)
        _unpool(grad, won, grad_planes)
        grad_z = grad_planes.reshape(-1, len(weight))
        if grad_matrix is not None:
            patches = kept[index] if kernels is None else None
            patches = plan.im2col(x[chunk]) if patches is None else patches
            grad_matrix[...] = products.sum_products(patches, grad_z)
        if grad_chunk is not None:
            plan.col2im(products.matmul(grad_z, matrix[:-1].T), grad_chunk)

    threads.run(work, enumerate(chunks))
    grad_weight = grad_bias = None
    if grad_matrices is not None:
        grad_matrix = grad_matrices.sum(axis=0)
        grad_weight, grad_bias = plan.as_kernels(grad_matrix[:-1]), grad_matrix[-1]
    return grad_x, grad_weight, grad_bias


def _pool(planes: np.ndarray, y: np.ndarray, keep: bool) -> np.ndarray | None:
    """Write the positive part of each maximum into ``y`` (P2, Q2, N, O); if asked, return which plane it is from.

    It makes few NumPy calls, since each may have to wait for the GIL.
    """
    left, right = planes[:, 0], planes[:, 1]
    # Of two equal numbers np.maximum returns its second argument: here the first in reading order.
    upper, lower = rows = np.maximum(right, left, out=memory.empty(left.shape, y.dtype))
    largest = np.maximum(lower, upper, out=memory.empty(y.shape, y.dtype))
    flat = largest.reshape(-1)
    may_be_nan = not math.isfinite(flat @ flat)
    np.maximum(largest, constant(0.0, largest), out=largest)
    y[...] = largest
    if not keep:
        return None
    wins, row_wins = memory.empty(planes.shape, bool), memory.empty(rows.shape, bool)
    left_wins, right_wins, (upper_wins, lower_wins) = wins[:, 0], wins[:, 1], row_wins
    np.not_equal(largest, 0.0, out=upper_wins)  # a NaN passes its gradient on
    np.logical_and(upper_wins, beats(lower, upper, may_be_nan, lower_wins), out=lower_wins)
    np.logical_xor(upper_wins, lower_wins, out=upper_wins)
    np.logical_and(row_wins, beats(right, left, may_be_nan, right_wins), out=right_wins)
    np.logical_xor(row_wins, right_wins, out=left_wins)
    return wins


def _unpool(grad: np.ndarray, wins: np.ndarray, grad_planes: np.ndarray) -> None:
    """Write the gradients of the planes: ``grad`` (P2, Q2, N, O) where they won, and zero."""
    in_one_piece = memory.empty(grad.shape, grad.dtype)
    in_one_piece[...] = grad
    keep_where(wins, np.broadcast_to(in_one_piece, wins.shape), out=grad_planes)


class _Plan:
    """Where the patches of images of one size are, in the order of planes; ``pooled`` is (P2, Q2)."""

    def __init__(self, x: np.ndarray, weight: np.ndarray, sides: Sides) -> None:
        self.sides, self.image, self.kernels = sides, x.shape[1:], weight.shape
        self.kernel, self.terms = weight.shape[2:], math.prod(weight.shape[1:])
        self.padded = padded_size(x.shape[2:], sides)
        self.size = output_size(self.padded, self.kernel, (1, 1), (1, 1))
        self.pooled = tuple([length // 2 for length in self.size])
        is_even = self.size[0] % 2 == self.size[1] % 2 == 0
        suits = patch_plan.suits_winograd(weight.shape) and is_even
        self.form = Form(self.kernel, (1, 1), sides, self.size) if suits else None
        self.image_by_image = self.kernel[1] * weight.shape[1] > SHORT_ROW
        outputs, itemsize = math.prod(self.size) * len(weight), x.dtype.itemsize
        if self.form is not None:
            self.kept_bytes = self.form.image_bytes(weight.shape[1], 0, x.dtype)
            self.image_bytes = self.form.image_bytes(weight.shape[1], len(weight), x.dtype)
        else:
            self.kept_bytes = math.prod(self.size) * (self.terms + 1) * itemsize
            self.image_bytes = self.kept_bytes + 2 * outputs * itemsize

    def planes_of(self, chunk: slice) -> tuple[int, ...]:
        return (2, 2, *self.pooled, chunk.stop - chunk.start, self.kernels[0])

    def as_matrix(self, kernels: np.ndarray, bias: np.ndarray | float) -> np.ndarray:
        """Return the kernels (O, C, kh, kw) as (kh kw C + 1, O); its last row is the bias."""
        matrix = np.empty((self.terms + 1, len(kernels)), kernels.dtype)
        matrix[:-1] = kernels.transpose(2, 3, 1, 0).reshape(self.terms, -1)
        matrix[-1] = bias
        return matrix

    def as_kernels(self, matrix: np.ndarray) -> np.ndarray:
        o, c, kh, kw = self.kernels
        return matrix.reshape(kh, kw, c, o).transpose(3, 2, 0, 1).copy()

    def im2col(self, x: np.ndarray) -> np.ndarray:
        """Return the patches (2 2 P2 Q2 N, kh kw C + 1), each with a 1 at the end, for the bias."""
        (_, h, w), ((top, _), (left, _)) = self.image, self.sides
        pixels = self._pixels(len(x), x.dtype)
        pixels[...] = 0
        pixels[:, :, top : top + h, left : left + w] = x
        windows = self._windows(pixels)
        rows = math.prod(windows.shape[:5])
        if self.image_by_image:
            patches = memory.empty((rows, self.terms + 1), x.dtype)
            patches[:, :-1].reshape(windows.shape)[...] = windows
            patches[:, -1] = 1
            return patches
        patches = memory.empty((self.terms + 1, rows), x.dtype)
        order = (5, 6, 7, 0, 1, 2, 3, 4)
        patches[:-1].reshape([windows.shape[axis] for axis in order])[...] = windows.transpose(order)
        patches[-1] = 1
        return patches.T

    def col2im(self, grad_patches: np.ndarray, grad_x: np.ndarray) -> None:
        """Write the gradient of the images from that of their patches, without the ones."""
        (top, _), (left, _) = self.sides
        grad_pixels = self._pixels(len(grad_x), grad_x.dtype)
        grad_pixels[...] = 0
        windows = self._windows(grad_pixels)
        pieces = grad_patches.reshape(windows.shape)
        # For one place in the kernel, and one kind of rows and columns (even or odd), no two patches share a pixel.
        for a, b, i, j in product((0, 1), (0, 1), range(self.kernel[0]), range(self.kernel[1])):
            windows[a, b, :, :, :, i, j] += pieces[a, b, :, :, :, i, j]
        grad_x[...] = grad_pixels[:, :, top : top + self.image[1], left : left + self.image[2]]

    def _pixels(self, n: int, dtype: np.dtype) -> np.ndarray:
        # (N, C, H1, W1); in memory with the images innermost, or the channels.
        c, (rows, columns) = self.image[0], self.padded
        if self.image_by_image:
            return memory.empty((n, rows, columns, c), dtype).transpose(0, 3, 1, 2)
        return memory.empty((c, rows, columns, n), dtype).transpose(3, 0, 1, 2)

    def _windows(self, pixels: np.ndarray) -> np.ndarray:
        # (2, 2, P2, Q2, N, kh, kw, C)
        n, c, h, w = pixels.strides
        shape = (2, 2, *self.pooled, len(pixels), *self.kernel, self.image[0])
        return as_strided(pixels, shape, (h, w, 2 * h, 2 * w, n, h, w, c))
