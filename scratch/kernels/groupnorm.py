"""GroupNorm in blocks of examples, by the simplification of `scratch.nn.layernorm`; a group is a row."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.channel_sums import ones
from scratch.kernels.normalized_rows import normalize_rows, project
from scratch.kernels.output_mask import is_read
from scratch.kernels.rows import parts_of

# If a channel has fewer places than this, its weight and bias are repeated for each: one long run instead of many short
# ones.
SHORT_RUN = 1 << 13


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


def at_each_place(column: np.ndarray, p: int) -> np.ndarray:
    """Return (C, 1) as (C, P) if P is small; return what is not an array as it is."""
    return np.repeat(column, p, axis=1) if isinstance(column, np.ndarray) and p < SHORT_RUN else column
