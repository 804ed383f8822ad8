r"""GRU: the gated cell of `scratch.nn.gru_cell` along a sequence. `scratch.nn.rnn` explains its backward.

    T  steps, numbered t       x         (T, N, I)  input          weight_ih  (3H, I)  the same at every step
    N  batch                   h_0, h_n  (N, H)     state before   weight_hh  (3H, H)
    I  input_size                                   and after      bias_ih, bias_hh  (3H,)
    H  hidden_size             y         (T, N, H)  output: the state after each step

gru
    F1  h_0 begins                               (N, H)
    F2  h_t = gru_cell(x_t, h_(t-1))             (N, H)     for t = 1, ..., T
    F3  y = h_1, ..., h_T                        (T, N, H)
    F4  h_n = h_T                                (N, H)

    B4  grad_h_t = grad_h_n, for t = T           (N, H)     F4: the gradient of the last state itself
    B2a grad_x = 0, and so for the weights
          and biases                             (T, N, I)  F2: room for the steps' gradients, and for their sums
    B2b grad_x_t, grad_h_(t-1), shares =
          gru_cell_backward(grad_y_t + grad_h_t) (T, N, I)  F3 and F2: for t = T, ..., 1. h_t is used twice: an
                                                            addition; a weight T times: grad_weight_ih += its share,
                                                            and so on
    B1  grad_h_0 = grad_h_t, for t = 0           (N, H)     F1: what the step t = 1 returns

Sources: those of the files named above. PyTorch's counterpart: ``torch.nn.GRU``.
"""

import numpy as np

from scratch.nn.gru_cell import gru_cell, gru_cell_backward
from scratch.nn.recurrent import RecurrentOfOneState


def gru(
    x: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the state after each step, what backward needs, and the last state."""
    states, steps = [h_0], []  # F1 (N, H)
    for x_t in x:  # F2 (N, H)
        h_t, saved_t = gru_cell(x_t, states[-1], weight_ih, weight_hh, bias_ih, bias_hh)
        states.append(h_t)
        steps.append(saved_t)
    y = np.stack(states[1:])  # F3 (T, N, H)
    h_n = states[-1]  # F4 (N, H)
    return y, (x, steps), h_n


def gru_backward(
    grad_y: np.ndarray, grad_h_n: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray, ...]:
    """Undo `gru`."""
    x, steps = saved
    grad_h_t = grad_h_n  # B4 (N, H)
    grad_x, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh = map(  # B2a (T, N, I)
        np.zeros_like, (x, weight_ih, weight_hh, weight_ih[:, 0], weight_hh[:, 0])
    )
    for t in reversed(range(len(x))):  # B2b (T, N, I)
        grad_x[t], grad_h_t, *shares = gru_cell_backward(grad_y[t] + grad_h_t, weight_ih, weight_hh, steps[t])
        for grad, share in zip((grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh), shares, strict=True):
            grad += share
    grad_h_0 = grad_h_t  # B1 (N, H)
    return grad_x, grad_h_0, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


class GRU(RecurrentOfOneState):
    """`GRUCell` along a sequence, forward and backward in time.

    Parameters
    ----------
    input_size, hidden_size : int
        Sizes of the last axis of the input and of a state.
    num_layers : int
        How many layers are stacked.
    bias : bool
        Whether the two biases of each layer are learned and added.
    batch_first : bool
        Whether input and output are (N, T, ...) instead of (T, N, ...). States are not.
    dropout : float
        Dropout probability for the output of every layer but the last, in training.
    bidirectional : bool
        Whether a second set of weights reads the sequence from its end; its output is appended to the other's.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the states.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (3 hidden_size, input_size) and (3 hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter, shape (3 hidden_size,)
        And so on: ``_l1`` for the second layer, whose input is ``hidden_size`` wide, or twice that if bidirectional;
        ``_l0_reverse`` for the other direction.

    Raises
    ------
    TypeError
        If a size is not an integer, a flag is not a bool, or the input is a packed sequence.
    ValueError
        If an option is outside its range, or the input does not have two or three axes.
    RuntimeError
        If a shape or dtype is not the layer's, or the sequence has no steps.

    Examples
    --------
    With all weights zero, each step halves the state:

    >>> layer = GRU(1, 1, dtype=np.float64)
    >>> for parameter in layer.parameters():
    ...     parameter.data[...] = 0.0
    >>> output, h_n = layer(np.ones((3, 1)), np.array([[8.0]]))  # one sequence of three steps
    >>> output.ravel(), h_n
    (array([4., 2., 1.]), array([[1.]]))
    >>> grad_x, grad_h_0 = layer.backward(None, np.array([[16.0]]))  # only the last state is used
    >>> grad_h_0
    array([[2.]])
    """

    functions = gru, gru_backward
    gates = 3
