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

    B4  grad_h_t = grad_h_n, for t = T           (N, H)     F4: what is said of the last state alone
    B2a grad_x = 0, and so for the weights
          and biases                             (T, N, I)  F2: room for the steps' gradients, and for their sums
    B2b grad_x_t, grad_h_(t-1), shares =
          rnn_cell_backward(grad_y_t + grad_h_t) (T, N, I)  F3 and F2: for t = T, ..., 1. h_t is used twice, as the
                                                            output y_t and by the step t + 1: an addition. A weight is
                                                            used T times: grad_weight_ih += its share, and so on
    B1  grad_h_0 = grad_h_t, for t = 0           (N, H)     F1: what the first step leaves

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
    states, steps = [h_0], []  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        h_t, saved_t = rnn_cell(x_t, states[-1], weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity)
        states.append(h_t)
        steps.append(saved_t)
    y = np.stack(states[1:])  # F3 (T, N, H)
    h_n = states[-1]  # F4 (N, H)
    return y, (x, steps), h_n


def rnn_backward(
    grad_y: np.ndarray,
    grad_h_n: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    nonlinearity: str,
    saved: tuple,
) -> tuple[np.ndarray, ...]:
    """Undo `rnn`."""
    x, steps = saved
    grad_h_t = grad_h_n  # B4 (N, H)
    grad_x, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh = map(  # B2a (T, N, I)
        np.zeros_like, (x, weight_ih, weight_hh, weight_ih[:, 0], weight_hh[:, 0])
    )
    for t in reversed(range(len(x))):  # B2b (T, N, I)
        grad_x[t], grad_h_t, *shares = rnn_cell_backward(
            grad_y[t] + grad_h_t, weight_ih, weight_hh, nonlinearity, steps[t]
        )
        for grad, share in zip((grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh), shares, strict=True):
            grad += share
    grad_h_0 = grad_h_t  # B1 (N, H)
    return grad_x, grad_h_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh
