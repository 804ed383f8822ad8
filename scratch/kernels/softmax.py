"""Softmax in place, in blocks of rows on several threads; backward is simplified: the total is not needed."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.rows import parts_of, run_on_rows


def softmax(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the probabilities of the scores of each row."""
    y = _empty_like(x)

    def work(part: slice) -> None:
        rows, out = x[part], y[part]
        np.subtract(rows, np.maximum.reduce(rows, axis=-1, keepdims=True, initial=-np.inf), out=out)
        np.exp(out, out=out)
        out /= np.add.reduce(out, axis=-1, keepdims=True)

    run_on_rows(work, _parts(x), x)
    return y, (y,)


def softmax_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softmax`."""
    (y,) = saved
    grad_x = _empty_like(y)

    def work(part: slice) -> None:
        rows, out = y[part], grad_x[part]
        np.multiply(grad_y[part], rows, out=out)
        np.subtract(grad_y[part], np.add.reduce(out, axis=-1, keepdims=True), out=out)
        out *= rows

    run_on_rows(work, _parts(y), y)
    return grad_x


def _parts(x: np.ndarray) -> list[slice]:
    return parts_of(x) if x.ndim > 1 else [slice(None)]


def _empty_like(x: np.ndarray) -> np.ndarray:
    # The scores may be along any axis of the layer's input, so x may be a view with its axes swapped.
    return memory.empty_like(x) if x.flags.c_contiguous else np.empty_like(x)
