"""GRU that computes input products, slopes and sums over time for the whole sequence at once.

The rows of r and z are negated, as in `scratch.kernels.lstm`. The new state z h + (1 - z) n is n + z (h - n).
"""

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
    y, h_n = memory.empty((len(x), *h_0.shape), x.dtype), np.empty_like(h_0)

    def take_steps(part: slice) -> tuple[np.ndarray, ...]:
        x1 = np.ascontiguousarray(x[:, part])
        gates, h = project(x1, weight_ih, bias), states(h_0[part], len(x))  # gates: a, later overwritten by r, z, n
        b_n = memory.empty((len(x), *h[0].shape), x.dtype)
        b, reset = np.empty_like(gates[:, 0]), np.empty_like(h[0])
        for t in range(len(x)):
            h_t, r_z, n = h[t + 1], gates[:2, t], gates[2, t]
            np.matmul(h[t], weight_hh, out=b)
            r_z += b[:2]
            np.exp(r_z, out=r_z)
            r_z += 1
            np.reciprocal(r_z, out=r_z)
            np.add(b[2], bias_n, out=b_n[t])
            n += np.multiply(r_z[0], b_n[t], out=reset)
            np.tanh(n, out=n)
            np.subtract(h[t], n, out=h_t)
            h_t *= r_z[1]
            h_t += n
        y[:, part], h_n[part] = h[1:], h[-1]
        return x1, h, gates, b_n

    parts = batch_parts(h_0)
    return y, (parts, threads.results(take_steps, parts)), h_n


def gru_backward(
    grad_y: np.ndarray, grad_h_n: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, ...]:
    """Undo `gru`."""
    parts, of_parts = saved
    grad_h = np.empty_like(grad_h_n)

    def undo_steps(part_saved: tuple[slice, tuple]) -> tuple[np.ndarray | None, ...]:
        part, (x, h, (r, z, n), b_n) = part_saved
        shape = *b_n.shape[:2], len(weight_ih)
        grad_a, grad_b = memory.empty(shape, b_n.dtype), memory.empty(shape, b_n.dtype)
        slope_n = (1 - z) * (1 - n * n)  # from h1 to a_n
        slope_z = (h[:-1] - n) * (z * (1 - z))  # from h1 to a_z
        slope_r = b_n * (r * (1 - r))  # from a_n to a_r
        grad_a_r, grad_a_z, grad_a_n = np.split(grad_a, 3, axis=2)
        grad_b_r, grad_b_z, grad_b_n = np.split(grad_b, 3, axis=2)
        grad_h_t = grad_h_n[part]
        for t in reversed(range(len(x))):
            grad_h_t = grad_y[t, part] + grad_h_t
            np.multiply(grad_h_t, slope_n[t], out=grad_a_n[t])
            np.multiply(grad_h_t, slope_z[t], out=grad_b_z[t])
            np.multiply(grad_a_n[t], slope_r[t], out=grad_b_r[t])
            np.multiply(grad_a_n[t], r[t], out=grad_b_n[t])
            grad_h_t *= z[t]
            grad_h_t += grad_b[t] @ weight_hh
        grad_a_r[...], grad_a_z[...], grad_h[part] = grad_b_r, grad_b_z, grad_h_t
        return gradients_of_part(grad_a, grad_b, x, h[:-1], weight_ih, 2)

    grad_x, *grads = gradients(threads.results(undo_steps, zip(parts, of_parts, strict=True)))
    return grad_x, grad_h, *grads


def with_signs(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the rows of the gates r, z, n as those of -r, -z, n."""
    return np.concatenate([-rows[: 2 * size], rows[2 * size :]])
