r"""LSTM: the cell with a memory, `scratch.nn.lstm_cell`, along a sequence. How it is undone, `scratch.nn.rnn` derives.

    T  steps, numbered t       x         (T, N, I)  input          weight_ih  (4H, I)  the same at every step
    N  batch                   h_0, h_n  (N, H)     state before   weight_hh  (4H, H)
    I  input_size                                   and after      bias_ih, bias_hh  (4H,)
    H  hidden_size             c_0, c_n  (N, H)     memory before and after
                               y         (T, N, H)  output: the state after each step

lstm
    F1  h_0, c_0 begin                           (N, H)     each
    F2  h_t, c_t = lstm_cell(x_t,
                             h_(t-1), c_(t-1))   (N, H)     for t = 1, ..., T
    F3  y = h_1, ..., h_T                        (T, N, H)
    F4  h_n = h_T                                (N, H)
    F5  c_n = c_T                                (N, H)

    B5  grad_h_T, grad_c_T = grad_h_n, grad_c_n  (N, H)     F5 and F4, to begin with: what is said of the last alone
    B2a grad_x_t, grad_h_(t-1), grad_c_(t-1), ...
          = lstm_cell_backward(
              grad_y_t + grad_h_t, grad_c_t)     (N, H)     F3 and F2: h_t is used twice, as the output y_t and by the
                                                            step t + 1: an addition; c_t is used by that step alone. For
                                                            t = T, ..., 1
    B2b grad_x = grad_x_1, ..., grad_x_T         (T, N, I)  F2: each input is used by its own step
    B2c grad_weight_ih = sum_t its gradients     (4H, I)    F2: one weight, used T times: T gradients are added
    B2d grad_weight_hh = sum_t its gradients     (4H, H)    F2: likewise
    B2e grad_bias_ih = sum_t its gradients       (4H,)      F2: likewise
    B2f grad_bias_hh = sum_t its gradients       (4H,)      F2: likewise
    B1a grad_h_0 = what the first step left      (N, H)     F1
    B1b grad_c_0 = what the first step left      (N, H)     F1

Sources: as in the files that are named above. PyTorch's counterpart: ``torch.nn.LSTM``. Left out: ``proj_size``.
"""

import numpy as np

from scratch.nn.lstm_cell import lstm_cell, lstm_cell_backward


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
    steps = [(h_0, (), c_0)]  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        steps.append(lstm_cell(x_t, steps[-1][0], steps[-1][2], weight_ih, weight_hh, bias_ih, bias_hh))
    y = np.stack([h_t for h_t, _, _ in steps[1:]])  # F3 (T, N, H)
    h_n = steps[-1][0]  # F4 (N, H)
    c_n = steps[-1][2]  # F5 (N, H)
    return y, (steps[1:],), h_n, c_n


def lstm_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    grad_c_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    saved: tuple,
) -> tuple[np.ndarray, ...]:
    """Undo `lstm`."""
    (steps,) = saved
    undone = [(0, grad_h_n, grad_c_n, 0, 0, 0, 0)]  # B5 (N, H)
    for grad_y_t, (_, saved_t, _) in zip(grad_y[::-1], steps[::-1], strict=True):  # B2a (N, H)
        grad_h_t, grad_c_t = grad_y_t + undone[-1][1], undone[-1][2]
        undone.append(lstm_cell_backward(grad_h_t, grad_c_t, weight_ih, weight_hh, saved_t))
    grad_x = np.stack([step[0] for step in undone[:0:-1]])  # B2b (T, N, I)
    grad_weight_ih = sum(step[3] for step in undone)  # B2c (4H, I)
    grad_weight_hh = sum(step[4] for step in undone)  # B2d (4H, H)
    grad_bias_ih = sum(step[5] for step in undone)  # B2e (4H,)
    grad_bias_hh = sum(step[6] for step in undone)  # B2f (4H,)
    grad_h_0 = undone[-1][1]  # B1a (N, H)
    grad_c_0 = undone[-1][2]  # B1b (N, H)
    return grad_x, grad_h_0, grad_c_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
