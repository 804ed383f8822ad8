"""LSTM with the inputs' products, the slopes and the sums over time for the whole sequence at once.

The gates' rows are put in the order i, f, o, g here, so that the three sigmoids are one, and those of i, f and o change
their signs: a sigmoid is 1 / (1 + exp(-z)), and the sign costs nothing as a part of the weights.
"""

import numpy as np

from scratch.kernels import memory
from scratch.kernels.sequence_products import project, states, sums_over_steps


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
    bias = np.broadcast_to(np.asarray(bias_ih + bias_hh, x.dtype), (4 * size,))
    weight_ih, weight_hh, bias = (in_order(rows, size) for rows in (weight_ih, weight_hh, bias))
    gates, h, c = project(x, weight_ih, bias), states(h_0, len(x)), states(c_0, len(x))
    s = memory.empty((len(x), *h_0.shape), h_0.dtype)
    product, written, transposed = np.empty_like(gates[0]), np.empty_like(c_0), weight_hh.T
    for t in range(len(x)):
        np.matmul(h[t], transposed, out=product)
        z = gates[t]
        z += product
        i_f_o, g = z[:, : 3 * size], z[:, 3 * size :]
        np.exp(i_f_o, out=i_f_o)
        i_f_o += 1
        np.reciprocal(i_f_o, out=i_f_o)
        np.tanh(g, out=g)
        np.multiply(z[:, size : 2 * size], c[t], out=c[t + 1])
        c[t + 1] += np.multiply(z[:, :size], g, out=written)
        np.tanh(c[t + 1], out=s[t])
        np.multiply(z[:, 2 * size : 3 * size], s[t], out=h[t + 1])
    return h[1:], (x, h, c, gates, s), h[-1], c[-1]


def lstm_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    grad_c_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `lstm`."""
    x, h, c, gates, s = saved
    steps, batch, size = s.shape
    i, f, o, g = np.split(gates, 4, axis=2)
    slope_c = o * (1 - s * s)  # from h1 to the memory
    slopes = memory.empty((steps, batch, 4, size), s.dtype)
    slopes[:, :, 0] = g * (i * (1 - i))  # from the memory to z_i
    slopes[:, :, 1] = c[:-1] * (f * (1 - f))  # from the memory to z_f
    slopes[:, :, 2] = i * (1 - g * g)  # from the memory to z_g
    slopes[:, :, 3] = s * (o * (1 - o))  # from h1 to z_o
    grad_z = memory.empty(slopes.shape, s.dtype)
    grad_h, grad_c = grad_h_n, grad_c_n.copy()
    for t in reversed(range(steps)):
        grad_h = grad_y[t] + grad_h
        grad_c += grad_h * slope_c[t]
        np.multiply(grad_c[:, None], slopes[t, :, :3], out=grad_z[t, :, :3])
        np.multiply(grad_h, slopes[t, :, 3], out=grad_z[t, :, 3])
        grad_c *= f[t]
        grad_h = grad_z[t].reshape(batch, 4 * size) @ weight_hh
    grad_z = grad_z.reshape(steps, batch, 4 * size)
    grad_x, *grads = sums_over_steps(grad_z, grad_z, x, h[:-1], weight_ih, 3)
    return grad_x, grad_h, grad_c, *grads


def in_order(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the rows of the gates i, f, g, o as those of -i, -f, -o, g."""
    i_f, g, o = rows[: 2 * size], rows[2 * size : 3 * size], rows[3 * size :]
    return np.concatenate([-i_f, -o, g])
