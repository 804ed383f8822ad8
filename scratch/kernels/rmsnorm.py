"""RMSNorm in blocks of rows, by the simplification of `scratch.nn.rmsnorm`."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.channel_sums import ones
from scratch.kernels.output_mask import is_read
from scratch.kernels.rows import parts_of, row_dot, run_on_rows


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Divide each row by its root mean square, then scale its numbers."""
    normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)
    scales = isinstance(weight, np.ndarray)
    y = memory.empty(x.shape, x.dtype) if scales else normalized

    def work(part: slice) -> None:
        rows = x[part]
        np.divide(1.0, np.sqrt(row_dot(rows, rows) / max(x.shape[1], 1) + eps), out=r[part])
        np.multiply(rows, r[part], out=normalized[part])
        if scales:
            np.multiply(normalized[part], weight, out=y[part])

    run_on_rows(work, parts_of(x), x)
    return y, (normalized, r)


def rms_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Undo `rms_norm`; skip gradients that nobody reads."""
    normalized, r = saved
    grad_x = memory.empty(grad_y.shape, grad_y.dtype)
    scales, parts, count = isinstance(weight, np.ndarray), parts_of(grad_y), max(grad_y.shape[1], 1)
    sums = np.empty((len(parts), grad_y.shape[1]), grad_y.dtype)
    reads_x, reads_weight = map(is_read, range(2))  # read here, since helpers have their own context

    def work(numbered: tuple[int, slice]) -> None:
        place, part = numbered
        grad, n, out = grad_y[part], normalized[part], grad_x[part]
        if reads_weight:
            np.matmul(ones(len(grad), grad.dtype), np.multiply(grad, n, out=out), out=sums[place])
        if reads_x:
            if scales:
                grad = np.multiply(grad, weight, out=memory.empty(grad.shape, grad.dtype))
            np.multiply(n, row_dot(grad, n) / count, out=out)
            np.subtract(grad, out, out=out)
            out *= r[part]

    run_on_rows(work, enumerate(parts), grad_y)
    return grad_x if reads_x else None, np.add.reduce(sums, axis=0) if reads_weight else None
