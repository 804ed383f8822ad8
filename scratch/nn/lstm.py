r"""LSTM: the cell with a memory, `scratch.nn.lstm_cell`, along a sequence. `scratch.nn.rnn` explains its backward.

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

    B5  grad_c_t = grad_c_n, for t = T           (N, H)     F5: the gradient of the last memory itself
    B4  grad_h_t = grad_h_n, for t = T           (N, H)     F4: the gradient of the last state itself
    B2a grad_x = 0, and so for the weights
          and biases                             (T, N, I)  F2: room for the steps' gradients, and for their sums
    B2b grad_x_t, grad_h_(t-1), grad_c_(t-1),
          shares = lstm_cell_backward(
              grad_y_t + grad_h_t, grad_c_t)     (T, N, I)  F3 and F2: for t = T, ..., 1. h_t is used twice, as the
                                                            output y_t and by the step t + 1: an addition; c_t by that
                                                            step alone; a weight T times: grad_weight_ih += its share,
                                                            and so on
    B1a grad_h_0 = grad_h_t, for t = 0           (N, H)     F1: what the step t = 1 returns
    B1b grad_c_0 = grad_c_t, for t = 0           (N, H)     F1: likewise

Sources: those of the files named above. PyTorch's counterpart: ``torch.nn.LSTM``. Left out: ``proj_size``.
"""

from typing import Any

import numpy as np

from scratch.checks import DType
from scratch.nn.lstm_cell import lstm_cell, lstm_cell_backward
from scratch.nn.recurrent import Recurrent
from scratch.nn.recurrent_cell import pair_of


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


class LSTM(Recurrent):
    """`LSTMCell` along a sequence, forward and backward in time.

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
    proj_size : int
        0; projections are left out.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the states.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (4 hidden_size, input_size) and (4 hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter, shape (4 hidden_size,)
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
    NotImplementedError
        If ``proj_size`` is not 0.

    Examples
    --------
    With all weights zero, the gates are half open, and each step halves the memory:

    >>> layer = LSTM(1, 1, dtype=np.float64)
    >>> for parameter in layer.parameters():
    ...     parameter.data[...] = 0.0
    >>> output, (h_n, c_n) = layer(np.ones((3, 1)), (np.zeros((1, 1)), np.array([[8.0]])))
    >>> c_n
    array([[1.]])
    >>> grad_x, (grad_h_0, grad_c_0) = layer.backward(None, (None, np.array([[16.0]])))  # only the last memory is used
    >>> grad_c_0
    array([[2.]])
    """

    functions = lstm, lstm_backward
    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: DType = np.float32,
    ) -> None:
        if proj_size:
            raise NotImplementedError(f"LSTM: proj_size is not supported; expected the default, got {proj_size!r}")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def forward(
        self, x: np.ndarray, hx: tuple[np.ndarray, np.ndarray] | None = None
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Map a sequence and its initial states, zeros if they are left out, to the output and the last states.

        Parameters
        ----------
        x : numpy.ndarray, shape (T, N, I); (N, T, I) if ``batch_first``; (T, I) for one sequence
        hx : (h_0, c_0), of shape (num_layers D, N, H) each, without N for one sequence

        Returns
        -------
        output, (h_n, c_n)
            The last layer's state after each step, (T, N, D H), and all layers' states and memories after the last
            step, each of the shape of ``h_0``.
        """
        output, (h_n, c_n) = self.over_layers(x, None if hx is None else pair_of(self, hx))
        return output, (h_n, c_n)

    def backward(
        self,
        grad_output: np.ndarray | None,
        grad_hx: tuple[np.ndarray | None, np.ndarray | None] | None = None,
    ) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
        """Map the gradients of output and last states, None for one that is not used, to those of ``x`` and ``hx``.

        Returns
        -------
        grad_input, (grad_h_0, grad_c_0)
        """
        grads_last = (None, None) if grad_hx is None else pair_of(self, grad_hx, "the states' gradients")
        grad_x, (grad_h_0, grad_c_0) = self.back_over_layers(grad_output, grads_last)
        return grad_x, (grad_h_0, grad_c_0)
