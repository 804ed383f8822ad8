"""RNN that computes input products, slopes and sums over time for the whole sequence at once."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.sequence_products import (
    as_column,
    batch_parts,
    by_gate,
    gradients,
    gradients_of_part,
    project,
    states,
)


def rnn(
    x: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
    nonlinearity: str,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the state after each step, what backward needs, and the last state."""
    size, bias = h_0.shape[1], as_column(bias_ih + bias_hh, weight_ih)
    weight_ih, bias, transposed = by_gate(weight_ih, size), by_gate(bias, size), np.ascontiguousarray(weight_hh.T)
    y, h_n = memory.empty((len(x), *h_0.shape), x.dtype), np.empty_like(h_0)

    def take_steps(part: slice) -> tuple[np.ndarray, ...]:
        x1 = np.ascontiguousarray(x[:, part])
        (z,), h = project(x1, weight_ih, bias), states(h_0[part], len(x))
        for t in range(len(x)):
            z[t] += h[t] @ transposed
            if nonlinearity == "tanh":
                np.tanh(z[t], out=h[t + 1])
            else:
                np.maximum(0, z[t], out=h[t + 1])
        y[:, part], h_n[part] = h[1:], h[-1]
        return x1, h

    parts = batch_parts(h_0)
    return y, (parts, threads.results(take_steps, parts)), h_n


def rnn_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    nonlinearity: str,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `rnn`."""
    parts, of_parts = saved
    grad_h = np.empty_like(grad_h_n)

    def undo_steps(part_saved: tuple[slice, tuple]) -> tuple[np.ndarray | None, ...]:
        part, (x, h) = part_saved
        y = h[1:]
        grad_z = memory.empty(y.shape, y.dtype)
        slope = 1 - y * y if nonlinearity == "tanh" else None
        grad_h_t = grad_h_n[part]
        for t in reversed(range(len(x))):
            grad_h_t = grad_y[t, part] + grad_h_t
            if slope is None:
                grad_z[t] = np.where(y[t] <= 0, 0, grad_h_t)
            else:
                np.multiply(grad_h_t, slope[t], out=grad_z[t])
            grad_h_t = grad_z[t] @ weight_hh
        grad_h[part] = grad_h_t
        return gradients_of_part(grad_z, grad_z, x, h[:-1], weight_ih, 2)

    grad_x, *grads = gradients(threads.results(undo_steps, zip(parts, of_parts, strict=True)))
    return grad_x, grad_h, *grads
