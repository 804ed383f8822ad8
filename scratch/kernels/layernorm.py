"""LayerNorm in blocks of rows, by the simplification of `scratch.nn.layernorm`.

There is a bias only if there is a weight.
"""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.channel_sums import ones
from scratch.kernels.normalized_rows import normalize_rows, project
from scratch.kernels.output_mask import is_read
from scratch.kernels.rows import parts_of, run_on_rows


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

    run_on_rows(work, parts_of(x), x)
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

    run_on_rows(work, enumerate(parts), grad_y)
    grad_weight, grad_bias = np.add.reduce(sums, axis=1)
    return grad_x if reads_x else None, grad_weight if reads_weight else None, grad_bias if reads_bias else None
