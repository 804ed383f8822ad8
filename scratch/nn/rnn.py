r"""RNN: a recurrent cell applied along a sequence, and backpropagation through time.

    T  steps, numbered t       x         (T, N, I)  input          weight_ih  (H, I)  the same at every step
    N  batch                   h_0, h_n  (N, H)     state before   weight_hh  (H, H)
    I  input_size                                   and after      bias_ih, bias_hh  (H,)
    H  hidden_size             y         (T, N, H)  output: the state after each step

rnn
    F1  h_0 begins                               (N, H)
    F2  h_t = rnn_cell(x_t, h_(t-1))             (N, H)     for t = 1, ..., T
    F3  y = h_1, ..., h_T                        (T, N, H)
    F4  h_n = h_T                                (N, H)

    B4  grad_h_T = grad_h_n, to begin with       (N, H)     F4: what is said of the last state alone
    B2a grad_x_t, grad_h_(t-1), ... =
          rnn_cell_backward(grad_y_t + grad_h_t) (N, H)     F3 and F2: h_t is used twice, as the output y_t and by the
                                                            step t + 1: an addition. For t = T, ..., 1: the step after
                                                            must be undone before
    B2b grad_x = grad_x_1, ..., grad_x_T         (T, N, I)  F2: each input is used by its own step
    B2c grad_weight_ih = sum_t its gradients     (H, I)     F2: one weight, used T times: T gradients are added
    B2d grad_weight_hh = sum_t its gradients     (H, H)     F2: likewise
    B2e grad_bias_ih = sum_t its gradients       (H,)       F2: likewise
    B2f grad_bias_hh = sum_t its gradients       (H,)       F2: likewise
    B1  grad_h_0 = what the first step left      (N, H)     F1

That is all of backpropagation through time: unroll the loop into a network of T layers that share their weights; undo
the layers, last one first; add up what each says of the weights. It costs a second loop as long as the first, and all
states must be kept.

The kernels multiply all inputs by weight_ih in one product, as no step waits for another there, and sum up the
gradients of the weights in one product over all steps.

Sources: Elman, "Finding Structure in Time", 1990; Werbos, "Backpropagation Through Time: What It Does and How to Do
It", 1990. PyTorch's counterpart: ``torch.nn.RNN``.
"""

import numpy as np

from scratch.nn.rnn_cell import rnn_cell, rnn_cell_backward


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
    steps = [(h_0, ())]  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        steps.append(rnn_cell(x_t, steps[-1][0], weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity))
    y = np.stack([h_t for h_t, _ in steps[1:]])  # F3 (T, N, H)
    h_n = steps[-1][0]  # F4 (N, H)
    return y, (steps[1:],), h_n


def rnn_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    nonlinearity: str,
    saved: tuple,
) -> tuple[np.ndarray, ...]:
    """Undo `rnn`."""
    (steps,) = saved
    undone = [(0, grad_h_n, 0, 0, 0, 0)]  # B4 (N, H)
    for grad_y_t, (_, saved_t) in zip(grad_y[::-1], steps[::-1], strict=True):  # B2a (N, H)
        undone.append(rnn_cell_backward(grad_y_t + undone[-1][1], weight_ih, weight_hh, nonlinearity, saved_t))
    grad_x = np.stack([step[0] for step in undone[:0:-1]])  # B2b (T, N, I)
    grad_weight_ih = sum(step[2] for step in undone)  # B2c (H, I)
    grad_weight_hh = sum(step[3] for step in undone)  # B2d (H, H)
    grad_bias_ih = sum(step[4] for step in undone)  # B2e (H,)
    grad_bias_hh = sum(step[5] for step in undone)  # B2f (H,)
    grad_h_0 = undone[-1][1]  # B1 (N, H)
    return grad_x, grad_h_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
