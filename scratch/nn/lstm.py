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

    B5  grad_c_t = grad_c_n, for t = T           (N, H)     F5: what is said of the last memory alone
    B4  grad_h_t = grad_h_n, for t = T           (N, H)     F4: what is said of the last state alone
    B2a grad_x = 0, and so for the weights
          and biases                             (T, N, I)  F2: room for the steps' gradients, and for their sums
    B2b grad_x_t, grad_h_(t-1), grad_c_(t-1),
          shares = lstm_cell_backward(
              grad_y_t + grad_h_t, grad_c_t)     (T, N, I)  F3 and F2: for t = T, ..., 1. h_t is used twice, as the
                                                            output y_t and by the step t + 1: an addition; c_t by that
                                                            step alone; a weight T times: grad_weight_ih += its share,
                                                            and so on
    B1a grad_h_0 = grad_h_t, for t = 0           (N, H)     F1: what the first step leaves
    B1b grad_c_0 = grad_c_t, for t = 0           (N, H)     F1: likewise

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
    states, steps = [(h_0, c_0)], []  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        h_t, saved_t, c_t = lstm_cell(x_t, *states[-1], weight_ih, weight_hh, bias_ih, bias_hh)
        states.append((h_t, c_t))
        steps.append(saved_t)
    y = np.stack([h_t for h_t, _ in states[1:]])  # F3 (T, N, H)
    h_n = states[-1][0]  # F4 (N, H)
    c_n = states[-1][1]  # F5 (N, H)
    return y, (x, steps), h_n, c_n


def lstm_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    grad_c_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    saved: tuple,
) -> tuple[np.ndarray, ...]:
    """Undo `lstm`."""
    x, steps = saved
    grad_c_t = grad_c_n  # B5 (N, H)
    grad_h_t = grad_h_n  # B4 (N, H)
    grad_x, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh = map(  # B2a (T, N, I)
        np.zeros_like, (x, weight_ih, weight_hh, weight_ih[:, 0], weight_hh[:, 0])
    )
    for t in reversed(range(len(x))):  # B2b (T, N, I)
        grad_x[t], grad_h_t, grad_c_t, *shares = lstm_cell_backward(
            grad_y[t] + grad_h_t, grad_c_t, weight_ih, weight_hh, steps[t]
        )
        for grad, share in zip((grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh), shares, strict=True):
            grad += share
    grad_h_0 = grad_h_t  # B1a (N, H)
    grad_c_0 = grad_c_t  # B1b (N, H)
    return grad_x, grad_h_0, grad_c_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
