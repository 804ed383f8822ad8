"""GRU that computes input products, slopes and sums over time for the whole sequence at once.

The rows of r and z are negated, as in `scratch.kernels.lstm`. The new state z h + (1 - z) n is n + z (h - n).
"""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.sequence_products import as_column, batch_parts, by_gate, project, states, sums_over_steps


def gru(
    x: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the state after each step, what backward needs, and the last state."""
    size = h_0.shape[1]
    bias, bias_of_b = as_column(bias_ih, weight_ih), as_column(bias_hh, weight_hh)
    *_, bias_n = by_gate(bias_of_b, size)
    # For r and z both biases are added at once; for n the reset comes between them.
    bias = np.concatenate([(bias + bias_of_b)[: 2 * size], bias[2 * size :]])
    weight_ih, weight_hh, bias = (by_gate(with_signs(rows, size), size) for rows in (weight_ih, weight_hh, bias))
    gates, h = project(x, weight_ih, bias), states(h_0, len(x))  # gates: a, later overwritten by r, z, n
    b_n = memory.empty((len(x), *h_0.shape), h_0.dtype)

    def take_steps(part: slice) -> None:
        b, reset = np.empty_like(gates[:, 0, part]), np.empty_like(h_0[part])
        for t in range(len(x)):
            h_t, r_z, n = h[t + 1, part], gates[:2, t, part], gates[2, t, part]
            np.matmul(h[t, part], weight_hh, out=b)
            r_z += b[:2]
            np.exp(r_z, out=r_z)
            r_z += 1
            np.reciprocal(r_z, out=r_z)
            np.add(b[2], bias_n, out=b_n[t, part])
            n += np.multiply(r_z[0], b_n[t, part], out=reset)
            np.tanh(n, out=n)
            np.subtract(h[t, part], n, out=h_t)
            h_t *= r_z[1]
            h_t += n

    threads.run(take_steps, batch_parts(h_0))
    return h[1:], (x, h, gates, b_n), h[-1]


def gru_backward(
    grad_y: np.ndarray, grad_h_n: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, ...]:
    """Undo `gru`."""
    x, h, gates, b_n = saved
    shape = *b_n.shape[:2], len(weight_ih)
    grad_a, grad_b = memory.empty(shape, b_n.dtype), memory.empty(shape, b_n.dtype)
    grad_h = np.empty_like(grad_h_n)

    def undo_steps(part: slice) -> None:
        r, z, n = gates[:, :, part]
        slope_n = (1 - z) * (1 - n * n)  # from h1 to a_n
        slope_z = (h[:-1, part] - n) * (z * (1 - z))  # from h1 to a_z
        slope_r = b_n[:, part] * (r * (1 - r))  # from a_n to a_r
        grad_a_r, grad_a_z, grad_a_n = np.split(grad_a[:, part], 3, axis=2)
        grad_b_r, grad_b_z, grad_b_n = np.split(grad_b[:, part], 3, axis=2)
        grad_h_t = grad_h_n[part]
        for t in reversed(range(len(x))):
            grad_h_t = grad_y[t, part] + grad_h_t
            np.multiply(grad_h_t, slope_n[t], out=grad_a_n[t])
            np.multiply(grad_h_t, slope_z[t], out=grad_b_z[t])
            np.multiply(grad_a_n[t], slope_r[t], out=grad_b_r[t])
            np.multiply(grad_a_n[t], r[t], out=grad_b_n[t])
            grad_h_t *= z[t]
            grad_h_t += grad_b[t, part] @ weight_hh
        grad_a_r[...], grad_a_z[...], grad_h[part] = grad_b_r, grad_b_z, grad_h_t

    threads.run(undo_steps, batch_parts(grad_h))
    grad_x, *grads = sums_over_steps(grad_a, grad_b, x, h[:-1], weight_ih, 2)
    return grad_x, grad_h, *grads


def with_signs(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the rows of the gates r, z, n as those of -r, -z, n."""
    return np.concatenate([-rows[: 2 * size], rows[2 * size :]])
