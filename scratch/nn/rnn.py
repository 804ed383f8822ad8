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

    B4  grad_h_t = grad_h_n, for t = T           (N, H)     F4: the gradient of the last state itself
    B2a grad_x = 0, and so for the weights
          and biases                             (T, N, I)  F2: room for the steps' gradients, and for their sums
    B2b grad_x_t, grad_h_(t-1), shares =
          rnn_cell_backward(grad_y_t + grad_h_t) (T, N, I)  F3 and F2: for t = T, ..., 1. h_t is used twice, as the
                                                            output y_t and by the step t + 1: an addition. A weight is
                                                            used T times: grad_weight_ih += its share, and so on
    B1  grad_h_0 = grad_h_t, for t = 0           (N, H)     F1: what the step t = 1 returns

That is all of backpropagation through time: unroll the loop into a network of T layers that share their weights; undo
the layers, last one first; add up the gradients that each has for the weights. It costs a second loop as long as the
first, and all states must be kept.

The kernels multiply all inputs by weight_ih in one product, since no step depends on another there, and compute the
gradients of the weights in one product over all steps.

Sources: Elman, "Finding Structure in Time", 1990; Werbos, "Backpropagation Through Time: What It Does and How to Do
It", 1990. PyTorch's counterpart: ``torch.nn.RNN``.
"""

import numpy as np

from scratch.checks import DType
from scratch.nn.recurrent import RecurrentOfOneState
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


class RNN(RecurrentOfOneState):
    """An Elman network: `RNNCell` along a sequence, forward and backward in time.

    Parameters
    ----------
    input_size, hidden_size : int
        Sizes of the last axis of the input and of a state.
    num_layers : int
        How many layers are stacked.
    nonlinearity : str
        "tanh" or "relu".
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
    weight_ih_l0, weight_hh_l0 : Parameter, shapes (hidden_size, input_size) and (hidden_size, hidden_size)
    bias_ih_l0, bias_hh_l0 : Parameter, shape (hidden_size,)
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
    >>> layer = RNN(1, 1, nonlinearity="relu", bias=False, dtype=np.float64)
    >>> layer.weight_ih_l0.data[...], layer.weight_hh_l0.data[...] = 1.0, 2.0
    >>> output, h_n = layer(np.array([[3.0], [5.0], [7.0]]))  # one sequence of three steps
    >>> output.ravel(), h_n
    (array([ 3., 11., 29.]), array([[29.]]))
    >>> grad_x, grad_h_0 = layer.backward(np.array([[0.0], [0.0], [1.0]]))  # only the last output is used
    >>> grad_x.ravel(), grad_h_0
    (array([4., 2., 1.]), array([[8.]]))
    >>> layer.weight_hh_l0.grad  # 1 x 11 + 2 x 3 + 4 x 0
    array([[17.]])
    """

    functions = rnn, rnn_backward
    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: DType = np.float32,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.nonlinearity = nonlinearity

    def options(self) -> tuple:
        """Return `rnn`'s arguments after the biases."""
        return (self.nonlinearity,)
