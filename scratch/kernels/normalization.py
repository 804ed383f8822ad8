"""LayerNorm and GroupNorm in blocks that stay in the cache, by the simplification of `scratch.nn.normalization`.

A bias comes with a weight.
"""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.output_mask import is_read
from scratch.kernels.row_sums import LONG_RUN, column_sum, row_sum, with_row, written_out

# Half a unit in the last place, squared.
_NEGLIGIBLE = {np.dtype(dtype): np.finfo(dtype).eps ** 2 / 4 for dtype in (np.float32, np.float64)}
# In bytes. Below, a second thread takes longer to begin than the first takes for all.
SMALLEST_BLOCK, LARGEST_BLOCK = 1 << 17, 1 << 19


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Normalize each row, then scale and shift its numbers."""
    normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)
    y = memory.empty(x.shape, x.dtype) if isinstance(weight, np.ndarray) else normalized
    weights, biases = (written_out(row) if isinstance(row, np.ndarray) else None for row in (weight, bias))

    def work(part: slice) -> None:
        normalize_rows(x[part], eps, normalized[part], r[part])
        if weights is not None:
            with_row(np.multiply, normalized[part], weights, y[part])
        if biases is not None:
            with_row(np.add, y[part], biases, y[part])

    threads.run(work, _parts(len(x), x.nbytes))
    return y, (normalized, r)


def layer_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `layer_norm`; leave out what nobody reads."""
    normalized, r = saved
    rows, columns = grad_y.shape
    weights = written_out(weight) if isinstance(weight, np.ndarray) else None
    grad_x = memory.empty(grad_y.shape, grad_y.dtype)
    parts = _parts(rows, grad_y.nbytes)
    sums = np.empty((2, len(parts), columns), grad_y.dtype)
    reads_x, reads_weight, reads_bias = map(is_read, range(3))  # asked here: helpers have a context of their own

    def work(numbered: tuple[int, slice]) -> None:
        place, part = numbered
        grad = grad_y[part]
        if reads_bias:
            sums[1, place] = column_sum(grad)
        along = np.multiply(grad, normalized[part], out=grad_x[part])
        if reads_weight:
            sums[0, place] = column_sum(along)
        if reads_x:
            if weights is not None:
                with_row(np.multiply, along, weights, along)
                scaled = np.empty(grad.shape, grad.dtype)
                with_row(np.multiply, grad, weights, scaled)
                grad = scaled
            _project(grad, normalized[part], row_sum(grad), row_sum(along), r[part], along)

    threads.run(work, enumerate(parts))
    grad_weight, grad_bias = np.add.reduce(sums, axis=1)
    return grad_x if reads_x else None, grad_weight if reads_weight else None, grad_bias if reads_bias else None


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, num_groups: int, eps: float
) -> tuple[np.ndarray, tuple]:
    """Normalize each group of channels of each example, then scale and shift each channel."""
    n, c, p = x.shape
    rows, columns = n * num_groups, c * p // num_groups
    joined, r = memory.empty(x.shape, x.dtype), np.empty((rows, 1), x.dtype)
    scales, shifts = isinstance(weight, np.ndarray), isinstance(bias, np.ndarray)
    y = memory.empty(x.shape, x.dtype) if scales else joined
    weight, bias = _at_each_place(weight, p), _at_each_place(bias, p)

    def work(part: slice) -> None:
        groups = slice(part.start * num_groups, part.stop * num_groups)
        normalize_rows(x[part].reshape(-1, columns), eps, joined.reshape(rows, columns)[groups], r[groups])
        if scales:
            np.multiply(joined[part], weight, out=y[part])
        if shifts:
            y[part] += bias

    threads.run(work, _parts(n, x.nbytes))
    return y, (joined, r)


def group_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `group_norm`; leave out what nobody reads. The sums over a group are made of those over its channels."""
    joined, r = saved
    n, c, p = grad_y.shape
    groups = max(len(r) // max(n, 1), 1)
    of_grad, of_along = np.empty((2, n, c), grad_y.dtype)
    grad_x = memory.empty(grad_y.shape, grad_y.dtype)
    scales, reads_x = isinstance(weight, np.ndarray), is_read(0)
    factors, weight = weight, _at_each_place(weight, p)

    def over_group(sums: np.ndarray) -> np.ndarray:
        scaled = sums * factors[:, 0] if scales else sums
        return np.add.reduce(scaled.reshape(len(sums) * groups, c // groups), axis=1, keepdims=True)

    def work(part: slice) -> None:
        grad, rows = grad_y[part], slice(part.start * groups, part.stop * groups)
        shape = rows.stop - rows.start, c * p // groups
        along = np.multiply(grad, joined[part], out=grad_x[part])
        of_grad[part] = row_sum(grad.reshape(-1, p)).reshape(-1, c)
        of_along[part] = row_sum(along.reshape(-1, p)).reshape(-1, c)
        if reads_x:
            if scales:
                grad = np.multiply(grad, weight, out=np.empty(grad.shape, grad.dtype))
            _project(
                grad.reshape(shape),
                joined[part].reshape(shape),
                over_group(of_grad[part]),
                over_group(of_along[part]),
                r[rows],
                along.reshape(shape),
            )

    threads.run(work, _parts(n, grad_y.nbytes))
    return (
        grad_x if reads_x else None,
        np.add.reduce(of_along, axis=0)[:, np.newaxis] if is_read(1) else None,
        np.add.reduce(of_grad, axis=0)[:, np.newaxis] if is_read(2) else None,
    )


def _parts(count: int, size: int) -> list[slice]:
    # Few calls matter more here than the second-level cache: each block has as many small arrays to work on as big ones.
    return blocks(count, size // max(count, 1), min(max(size // 2, SMALLEST_BLOCK), LARGEST_BLOCK))


def normalize_rows(x: np.ndarray, eps: float, normalized: np.ndarray, r: np.ndarray) -> None:
    """Map (R, K) to the normalized rows (R, K) and to r = 1 / std (R, 1), both of them written to."""
    count = max(x.shape[1], 1)
    np.subtract(x, row_sum(x) / count, out=normalized)
    residue = row_sum(normalized) / count
    var = np.vecdot(normalized, normalized)[:, np.newaxis] / count
    # What rounding has left of the mean is most often below the rounding of what it would be taken from.
    if (residue * residue > _NEGLIGIBLE[x.dtype] * var).any():
        normalized -= residue
        var = np.vecdot(normalized, normalized)[:, np.newaxis] / count
    np.divide(1.0, np.sqrt(var + eps), out=r)
    normalized *= r


def _project(
    grad: np.ndarray, normalized: np.ndarray, total: np.ndarray, along: np.ndarray, r: np.ndarray, grad_x: np.ndarray
) -> None:
    # Take out of the gradient of the normalized rows its mean and its component along them.
    count = max(grad.shape[1], 1)
    np.multiply(normalized, along / count, out=grad_x)
    grad_x += total / count
    np.subtract(grad, grad_x, out=grad_x)
    grad_x *= r


def _at_each_place(column: np.ndarray, p: int) -> np.ndarray:
    # A number for each channel, for each of its positions if these are few: one long run instead of many short ones.
    return np.repeat(column, p, axis=1) if isinstance(column, np.ndarray) and p < LONG_RUN else column
