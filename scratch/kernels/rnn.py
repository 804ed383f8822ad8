"""RNN with the inputs' products, the slopes and the sums over time for the whole sequence at once."""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.sequence_products import project, states, sums_over_steps


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
    z, h = project(x, weight_ih, bias_ih + bias_hh), states(h_0, len(x))
    product, transposed = np.empty_like(h_0), weight_hh.T
    for t in range(len(x)):
        np.matmul(h[t], transposed, out=product)
        product += z[t]
        if nonlinearity == "tanh":
            np.tanh(product, out=h[t + 1])
        else:
            np.maximum(0, product, out=h[t + 1])
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
    y, grad_z, grad_h = h[1:], memory.empty(grad_y.shape, grad_y.dtype), grad_h_n
    slope = 1 - y * y if nonlinearity == "tanh" else None
    for t in reversed(range(len(x))):
        grad_h = grad_y[t] + grad_h
        if slope is None:
            grad_z[t] = np.where(y[t] <= 0, 0, grad_h)
        else:
            np.multiply(grad_h, slope[t], out=grad_z[t])
        grad_h = grad_z[t] @ weight_hh
    grad_x, *grads = sums_over_steps(grad_z, grad_z, x, h[:-1], weight_ih, 2)
    return grad_x, grad_h, *grads
