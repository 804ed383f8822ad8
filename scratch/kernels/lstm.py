"""LSTM that computes input products, slopes and sums over time for the whole sequence at once.

The gates' rows are in the order i, f, o, g here, so that the three sigmoids are one, and those of i, f and o are
negated: a sigmoid is 1 / (1 + exp(-z)), and the minus sign costs nothing as part of the weights.
"""

import numpy as np

from scratch.kernels import buffer, memory, threads
from scratch.kernels.sequence_products import (
    as_column,
    batch_parts,
    by_gate,
    gradients,
    gradients_of_part,
    project,
    states,
)


def lstm(
    x: np.ndarray,
    h_0: np.ndarray,
    c_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Return the state after each step, what backward needs, the last state, and the last memory."""
    size = h_0.shape[1]
    bias = as_column(bias_ih + bias_hh, weight_ih)
    weight_ih, weight_hh, bias = (by_gate(in_order(rows, size), size) for rows in (weight_ih, weight_hh, bias))
    y, h_n, c_n = memory.empty((len(x), *h_0.shape), x.dtype), np.empty_like(h_0), np.empty_like(c_0)

    def take_steps(part: slice) -> tuple[np.ndarray, ...]:
        x1 = np.ascontiguousarray(x[:, part])
        gates, h, c = project(x1, weight_ih, bias), states(h_0[part], len(x)), states(c_0[part], len(x))
        s = memory.empty((len(x), *h[0].shape), x.dtype)
        product, written = np.empty_like(gates[:, 0]), np.empty_like(c[0])
        for t in range(len(x)):
            z, c_t = gates[:, t], c[t + 1]
            np.matmul(h[t], weight_hh, out=product)
            z += product
            i_f_o, g = z[:3], z[3]
            np.exp(i_f_o, out=i_f_o)
            i_f_o += 1
            np.reciprocal(i_f_o, out=i_f_o)
            np.tanh(g, out=g)
            np.multiply(z[1], c[t], out=c_t)
            c_t += np.multiply(z[0], g, out=written)
            np.tanh(c_t, out=s[t])
            np.multiply(z[2], s[t], out=h[t + 1])
        y[:, part], h_n[part], c_n[part] = h[1:], h[-1], c[-1]
        return x1, h, c, gates, s

    parts = batch_parts(h_0)
    with buffer.for_rows(h_0.nbytes // len(parts)):
        saved = threads.results(take_steps, parts)
    return y, (parts, saved), h_n, c_n


def lstm_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    grad_c_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `lstm`."""
    parts, of_parts = saved
    grad_h, grad_c = np.empty_like(grad_h_n), np.empty_like(grad_c_n)

    def undo_steps(part_saved: tuple[slice, tuple]) -> tuple[np.ndarray | None, ...]:
        part, (x, h, c, (i, f, o, g), s) = part_saved
        steps, batch, size = s.shape
        grad_z = memory.empty((steps, batch, 4 * size), s.dtype)
        grads = grad_z.reshape(steps, batch, 4, size).transpose(2, 0, 1, 3)
        slope_c = o * (1 - s * s)  # from h1 to the memory
        slopes = memory.empty(grads.shape, s.dtype)
        np.multiply(g, i * (1 - i), out=slopes[0])  # from the memory to z_i
        np.multiply(c[:-1], f * (1 - f), out=slopes[1])  # from the memory to z_f
        np.multiply(i, 1 - g * g, out=slopes[2])  # from the memory to z_g
        np.multiply(s, o * (1 - o), out=slopes[3])  # from h1 to z_o
        grad_h_t, grad_c_t = grad_h_n[part], grad_c_n[part].copy()
        for t in reversed(range(steps)):
            grad_h_t = grad_y[t, part] + grad_h_t
            grad_c_t += grad_h_t * slope_c[t]
            np.multiply(grad_c_t, slopes[:3, t], out=grads[:3, t])
            np.multiply(grad_h_t, slopes[3, t], out=grads[3, t])
            grad_c_t *= f[t]
            grad_h_t = grad_z[t] @ weight_hh
        grad_h[part], grad_c[part] = grad_h_t, grad_c_t
        return gradients_of_part(grad_z, grad_z, x, h[:-1], weight_ih, 3)

    grad_x, *grads = gradients(threads.results(undo_steps, zip(parts, of_parts, strict=True)))
    return grad_x, grad_h, grad_c, *grads


def in_order(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the rows of the gates i, f, g, o as those of -i, -f, -o, g."""
    i_f, g, o = rows[: 2 * size], rows[2 * size : 3 * size], rows[3 * size :]
    return np.concatenate([-i_f, -o, g])
