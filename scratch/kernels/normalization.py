"""LayerNorm and GroupNorm in blocks of rows, by the simplification of `scratch.nn.normalization`.

There is a bias only if there is a weight. Row sums are products with ones, and sums of squares are inner products: the
BLAS does both faster than ``np.add.reduce``.
"""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.channel_sums import ones
from scratch.kernels.output_mask import is_read

# The work on a block has as many small arrays as big ones, so few calls matter more than the second-level cache.
BLOCK_BYTES = 1 << 20
# If a channel has fewer places than this, its weight and bias are repeated for each: one long run instead of many short
# ones.
SHORT_RUN = 1 << 13
# The unit in the last place, squared.
_NEGLIGIBLE = {np.dtype(dtype): np.finfo(dtype).eps ** 2 for dtype in (np.float32, np.float64)}


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Normalize each row, then scale and shift its numbers."""
    normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)
    scales, shifts = isinstance(weight, np.ndarray), isinstance(bias, np.ndarray)
    y = memory.empty(x.shape, x.dtype) if scales else normalized

    def work(part: slice) -> None:
        out = y[part]
        normalize_rows(x[part], eps, normalized[part], r[part])
        if scales:
            np.multiply(normalized[part], weight, out=out)
        if shifts:
            out += bias

    threads.run(work, parts_of(x))
    return y, (normalized, r)


def layer_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `layer_norm`; skip gradients that nobody reads."""
    normalized, r = saved
    grad_x = memory.empty(grad_y.shape, grad_y.dtype)
    scales, parts = isinstance(weight, np.ndarray), parts_of(grad_y)
    sums = np.empty((2, len(parts), grad_y.shape[1]), grad_y.dtype)
    reads_x, reads_weight, reads_bias = map(is_read, range(3))  # read here, since helpers have their own context

    def work(numbered: tuple[int, slice]) -> None:
        place, part = numbered
        grad, n, out = grad_y[part], normalized[part], grad_x[part]
        column = ones(len(grad), grad.dtype)
        if reads_bias:
            np.matmul(column, grad, out=sums[1, place])
        along = np.multiply(grad, n, out=out)
        if reads_weight:
            np.matmul(column, along, out=sums[0, place])
        if reads_x:
            factors = weight if scales else ones(grad.shape[1], grad.dtype)
            of_row, along_row = (grad @ factors)[:, np.newaxis], (along @ factors)[:, np.newaxis]
            if scales:
                grad = np.multiply(grad, weight, out=memory.empty(grad.shape, grad.dtype))
            project(grad, n, of_row, along_row, r[part], out)

    threads.run(work, enumerate(parts))
    grad_weight, grad_bias = np.add.reduce(sums, axis=1)
    return grad_x if reads_x else None, grad_weight if reads_weight else None, grad_bias if reads_bias else None


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, num_groups: int, eps: float
) -> tuple[np.ndarray, tuple]:
    """Normalize each group of channels of each example, then scale and shift each channel."""
    return normalize_groups(x, weight, bias, num_groups, eps)[:2]


def normalize_groups(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, num_groups: int, eps: float
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Do as `group_norm` does, and also return the groups' means (N G, 1) and variances (N G, 1)."""
    n, c, p = x.shape
    rows, columns = n * num_groups, c * p // num_groups
    joined = memory.empty(x.shape, x.dtype)
    mean, var, r = np.empty((3, rows, 1), x.dtype)
    scales, shifts = isinstance(weight, np.ndarray), isinstance(bias, np.ndarray)
    y = memory.empty(x.shape, x.dtype) if scales else joined
    weight, bias = at_each_place(weight, p), at_each_place(bias, p)

    def work(part: slice) -> None:
        groups, out = slice(part.start * num_groups, part.stop * num_groups), y[part]
        lines = x[part].reshape(groups.stop - groups.start, columns)
        mean[groups], var[groups] = normalize_rows(lines, eps, joined.reshape(rows, columns)[groups], r[groups])
        if scales:
            np.multiply(joined[part], weight, out=out)
        if shifts:
            out += bias

    threads.run(work, parts_of(x))
    return y, (joined, r), mean, var


def group_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `group_norm`; skip gradients that nobody reads. Sums over a group are made of those over its channels."""
    joined, r = saved
    n, c, p = grad_y.shape
    groups = max(len(r) // max(n, 1), 1)
    of_grad, of_along = np.empty((2, n, c, 1), grad_y.dtype)
    grad_x = memory.empty(grad_y.shape, grad_y.dtype)
    scales, reads_x = isinstance(weight, np.ndarray), is_read(0)
    factors, weight = weight, at_each_place(weight, p)

    def over_group(sums: np.ndarray) -> np.ndarray:
        scaled = sums * factors if scales else sums
        return np.add.reduce(scaled.reshape(len(sums) * groups, c // groups), axis=1, keepdims=True)

    def work(part: slice) -> None:
        grad, rows = grad_y[part], slice(part.start * groups, part.stop * groups)
        shape = rows.stop - rows.start, c * p // groups
        along = np.multiply(grad, joined[part], out=grad_x[part])
        channels = len(grad) * c, p
        np.matmul(grad.reshape(channels), ones(p, grad.dtype), out=of_grad[part].reshape(-1))
        np.matmul(along.reshape(channels), ones(p, grad.dtype), out=of_along[part].reshape(-1))
        if reads_x:
            if scales:
                grad = np.multiply(grad, weight, out=memory.empty(grad.shape, grad.dtype))
            total, component = over_group(of_grad[part]), over_group(of_along[part])
            lines = joined[part].reshape(shape)
            project(grad.reshape(shape), lines, total, component, r[rows], along.reshape(shape))

    threads.run(work, parts_of(grad_y))
    grad_weight, grad_bias = (np.add.reduce(sums, axis=0) for sums in (of_along, of_grad))
    return grad_x if reads_x else None, grad_weight if is_read(1) else None, grad_bias if is_read(2) else None


def parts_of(x: np.ndarray) -> list[slice]:
    """Return slices of the first axis, to be worked on one by one or several at once."""
    return blocks(len(x), x.nbytes // max(len(x), 1), BLOCK_BYTES)


def normalize_rows(x: np.ndarray, eps: float, normalized: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the normalized rows (R, K) of ``x`` (R, K), and r = 1 / std (R, 1); return mean and var (R, 1)."""
    count = max(x.shape[1], 1)
    mean = row_sum(x) / count
    np.subtract(x, mean, out=normalized)
    residue, var = row_sum(normalized) / count, row_dot(normalized, normalized) / count
    # What rounding has left of the mean is most often below the rounding of the numbers that it would be subtracted
    # from.
    if np.vdot(residue, residue) > _NEGLIGIBLE[x.dtype] * np.minimum.reduce(var, axis=None, initial=np.inf):
        normalized -= residue
        var = row_dot(normalized, normalized) / count
    np.divide(1.0, np.sqrt(var + eps), out=r)
    normalized *= r
    return mean, var


def project(
    grad: np.ndarray, normalized: np.ndarray, total: np.ndarray, along: np.ndarray, r: np.ndarray, grad_x: np.ndarray
) -> None:
    """Write the gradient of the rows: that of the normalized ones, less its mean and its component along them.

    Parameters
    ----------
    grad, normalized, grad_x : numpy.ndarray of shape (R, K)
    total, along : numpy.ndarray of shape (R, 1)
        The sums over the rows of ``grad`` and of ``grad * normalized``.
    r : numpy.ndarray of shape (R, 1)
        1 / std.
    """
    count = max(grad.shape[1], 1)
    np.multiply(normalized, along / count, out=grad_x)
    grad_x += total / count
    np.subtract(grad, grad_x, out=grad_x)
    grad_x *= r


def row_sum(x: np.ndarray) -> np.ndarray:
    """Return the sums (R, 1) of the rows of (R, K)."""
    return (x @ ones(x.shape[1], x.dtype))[:, np.newaxis]


def row_dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner products (R, 1) of the rows of two (R, K)."""
    return np.vecdot(a, b)[:, np.newaxis]


def at_each_place(column: np.ndarray, p: int) -> np.ndarray:
    """Return (C, 1) as (C, P) if P is small; return what is not an array as it is."""
    return np.repeat(column, p, axis=1) if isinstance(column, np.ndarray) and p < SHORT_RUN else column
