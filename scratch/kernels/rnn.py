"""RNN that computes input products, slopes and sums over time for the whole sequence at once."""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.sequence_products import as_column, batch_parts, by_gate, project, states, sums_over_steps


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
    (z,), h = project(x, by_gate(weight_ih, size), by_gate(bias, size)), states(h_0, len(x))
    transposed = np.ascontiguousarray(weight_hh.T)

    def take_steps(part: slice) -> None:
        product = np.empty_like(h_0[part])
        for t in range(len(x)):
            np.matmul(h[t, part], transposed, out=product)
            product += z[t, part]
            if nonlinearity == "tanh":
                np.tanh(product, out=h[t + 1, part])
            else:
                np.maximum(0, product, out=h[t + 1, part])

    threads.run(take_steps, batch_parts(h_0))
    return h[1:], (x, h), h[-1]


def rnn_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    nonlinearity: str,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `rnn`."""
    x, h = saved
    y, grad_z, grad_h = h[1:], memory.empty(grad_y.shape, grad_y.dtype), np.empty_like(grad_h_n)

    def undo_steps(part: slice) -> None:
        slope = 1 - y[:, part] * y[:, part] if nonlinearity == "tanh" else None
        grad_h_t = grad_h_n[part]
        for t in reversed(range(len(x))):
            grad_h_t = grad_y[t, part] + grad_h_t
            if slope is None:
                grad_z[t, part] = np.where(y[t, part] <= 0, 0, grad_h_t)
            else:
                np.multiply(grad_h_t, slope[t], out=grad_z[t, part])
            grad_h_t = grad_z[t, part] @ weight_hh
        grad_h[part] = grad_h_t

    threads.run(undo_steps, batch_parts(grad_h))
    grad_x, *grads = sums_over_steps(grad_z, grad_z, x, h[:-1], weight_ih, 2)
    return grad_x, grad_h, *grads
