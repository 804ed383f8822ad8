r"""GRU: the gated cell of `scratch.nn.gru_cell` along a sequence. How it is undone, `scratch.nn.rnn` derives.

    T  steps, numbered t       x         (T, N, I)  input          weight_ih  (3H, I)  the same at every step
    N  batch                   h_0, h_n  (N, H)     state before   weight_hh  (3H, H)
    I  input_size                                   and after      bias_ih, bias_hh  (3H,)
    H  hidden_size             y         (T, N, H)  output: the state after each step

gru
    F1  h_0 begins                               (N, H)
    F2  h_t = gru_cell(x_t, h_(t-1))             (N, H)     for t = 1, ..., T
    F3  y = h_1, ..., h_T                        (T, N, H)
    F4  h_n = h_T                                (N, H)

    B4  grad_h_T = grad_h_n, to begin with       (N, H)     F4: what is said of the last state alone
    B2a grad_x_t, grad_h_(t-1), ... =
          gru_cell_backward(grad_y_t + grad_h_t) (N, H)     F3 and F2: h_t is used twice: an addition; for t = T, ..., 1
    B2b grad_x = grad_x_1, ..., grad_x_T         (T, N, I)  F2: each input is used by its own step
    B2c grad_weight_ih = sum_t its gradients     (3H, I)    F2: one weight, used T times: T gradients are added
    B2d grad_weight_hh = sum_t its gradients     (3H, H)    F2: likewise
    B2e grad_bias_ih = sum_t its gradients       (3H,)      F2: likewise
    B2f grad_bias_hh = sum_t its gradients       (3H,)      F2: likewise
    B1  grad_h_0 = what the first step left      (N, H)     F1

Sources: as in the files that are named above. PyTorch's counterpart: ``torch.nn.GRU``.
"""

import numpy as np

from scratch.nn.gru_cell import gru_cell, gru_cell_backward


def gru(
    x: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the state after each step, what backward needs, and the last state."""
    steps = [(h_0, ())]  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        steps.append(gru_cell(x_t, steps[-1][0], weight_ih, weight_hh, bias_ih, bias_hh))
    y = np.stack([h_t for h_t, _ in steps[1:]])  # F3 (T, N, H)
    h_n = steps[-1][0]  # F4 (N, H)
    return y, (steps[1:],), h_n


def gru_backward(
    grad_y: np.ndarray, grad_h_n: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray, ...]:
    """Undo `gru`."""
    (steps,) = saved
    undone = [(0, grad_h_n, 0, 0, 0, 0)]  # B4 (N, H)
    for grad_y_t, (_, saved_t) in zip(grad_y[::-1], steps[::-1], strict=True):  # B2a (N, H)
        undone.append(gru_cell_backward(grad_y_t + undone[-1][1], weight_ih, weight_hh, saved_t))
    grad_x = np.stack([step[0] for step in undone[:0:-1]])  # B2b (T, N, I)
    grad_weight_ih = sum(step[2] for step in undone)  # B2c (3H, I)
    grad_weight_hh = sum(step[3] for step in undone)  # B2d (3H, H)
    grad_bias_ih = sum(step[4] for step in undone)  # B2e (3H,)
    grad_bias_hh = sum(step[5] for step in undone)  # B2f (3H,)
    grad_h_0 = undone[-1][1]  # B1 (N, H)
    return grad_x, grad_h_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
