r"""LSTMCell: a recurrent step with a memory beside the state, written, kept and read through gates.

    N  batch        x       (N, I)  input                 weight_ih  (4H, I)  from input to the gates, rows i, f, g, o
    I  input_size   h, c    (N, H)  state, memory before  weight_hh  (4H, H)  from state to the gates, rows i, f, g, o
    H  hidden_size  h1, c1  (N, H)  next state, memory    bias_ih, bias_hh  (4H,)
    i  input gate   f       forget gate                   g  what is to be written
                    o       output gate

lstm_cell
    F1  z = x weight_ih^T + bias_ih
            + h weight_hh^T + bias_hh            (N, 4H)
    F2  z_i, z_f, z_g, z_o = quarters of z       (N, H)   each
    F3  i = 1 / (1 + exp(-z_i))                  (N, H)   how much is written
    F4  f = 1 / (1 + exp(-z_f))                  (N, H)   how much is kept
    F5  g = tanh(z_g)                            (N, H)   what is written
    F6  o = 1 / (1 + exp(-z_o))                  (N, H)   how much is shown
    F7  cell = f c + i g                         (N, H)   the memory: what is kept of it, and what is written
    F8  c1 = cell                                (N, H)   passed to the next step
    F9  s = tanh(cell)                           (N, H)
    F10 h1 = o s                                 (N, H)

    B10a grad_o = grad_h1 s                      (N, H)   F10: a product, times the other factor
    B10b grad_s = grad_h1 o                      (N, H)   F10: likewise
    B9  grad_cell = grad_c1 + grad_s (1 - s^2)   (N, H)   F9 and F8: the memory is used twice, by the next step and by
                                                          F9: an addition; tanh' = 1 - tanh^2
    B7a grad_f = grad_cell c                     (N, H)   F7: a product, times the other factor
    B7b grad_c = grad_cell f                     (N, H)   F7: likewise
    B7c grad_i = grad_cell g                     (N, H)   F7: likewise
    B7d grad_g = grad_cell i                     (N, H)   F7: likewise
    B6  grad_z_o = grad_o o (1 - o)              (N, H)   F6: the sigmoid's slope
    B5  grad_z_g = grad_g (1 - g^2)              (N, H)   F5: tanh' = 1 - tanh^2
    B4  grad_z_f = grad_f f (1 - f)              (N, H)   F4: the sigmoid's slope
    B3  grad_z_i = grad_i i (1 - i)              (N, H)   F3: likewise
    B2  grad_z = grad_z_i, grad_z_f,
            grad_z_g, grad_z_o                   (N, 4H)  F2: the quarters, side by side
    B1a grad_bias_ih = sum_n grad_z              (4H,)    F1: a broadcast becomes a sum over the batch
    B1b grad_bias_hh = sum_n grad_z              (4H,)    F1: likewise
    B1c grad_weight_ih = grad_z^T x              (4H, I)  F1: as in Linear
    B1d grad_weight_hh = grad_z^T h              (4H, H)  F1: likewise
    B1e grad_x = grad_z weight_ih                (N, I)   F1: likewise
    B1f grad_h = grad_z weight_hh                (N, H)   F1: likewise

B7b is the shortcut back in time: no weight, no slope, only the forget gate. While the gates stay open, the gradient of
the memory neither vanishes nor explodes.

Sources: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Gers, Schmidhuber and Cummins, "Learning to Forget:
Continual Prediction with LSTM", 2000 (the forget gate). PyTorch's counterpart: ``torch.nn.LSTMCell``. Left out:
``device``.
"""

import numpy as np

from scratch.nn.recurrent_cell import RecurrentCell, pair_of


def lstm_cell(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the next state, what backward needs, and the next memory."""
    z = x @ weight_ih.T + bias_ih + (h @ weight_hh.T + bias_hh)  # F1 (N, 4H)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)  # F2 (N, H)
    i = 1 / (1 + np.exp(-z_i))  # F3 (N, H)
    f = 1 / (1 + np.exp(-z_f))  # F4 (N, H)
    g = np.tanh(z_g)  # F5 (N, H)
    o = 1 / (1 + np.exp(-z_o))  # F6 (N, H)
    cell = f * c + i * g  # F7 (N, H)
    c1 = cell  # F8 (N, H)
    s = np.tanh(cell)  # F9 (N, H)
    h1 = o * s  # F10 (N, H)
    return h1, (x, h, c, i, f, g, o, s), c1


def lstm_cell_backward(
    grad_h1: np.ndarray, grad_c1: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray, ...]:
    """Undo `lstm_cell`."""
    x, h, c, i, f, g, o, s = saved
    grad_o = grad_h1 * s  # B10a (N, H)
    grad_s = grad_h1 * o  # B10b (N, H)
    grad_cell = grad_c1 + grad_s * (1 - s**2)  # B9 (N, H)
    grad_f = grad_cell * c  # B7a (N, H)
    grad_c = grad_cell * f  # B7b (N, H)
    grad_i = grad_cell * g  # B7c (N, H)
    grad_g = grad_cell * i  # B7d (N, H)
    grad_z_o = grad_o * (o * (1 - o))  # B6 (N, H)
    grad_z_g = grad_g * (1 - g**2)  # B5 (N, H)
    grad_z_f = grad_f * (f * (1 - f))  # B4 (N, H)
    grad_z_i = grad_i * (i * (1 - i))  # B3 (N, H)
    grad_z = np.concatenate([grad_z_i, grad_z_f, grad_z_g, grad_z_o], axis=1)  # B2 (N, 4H)
    grad_bias_ih = grad_z.sum(axis=0)  # B1a (4H,)
    grad_bias_hh = grad_z.sum(axis=0)  # B1b (4H,)
    grad_weight_ih = grad_z.T @ x  # B1c (4H, I)
    grad_weight_hh = grad_z.T @ h  # B1d (4H, H)
    grad_x = grad_z @ weight_ih  # B1e (N, I)
    grad_h = grad_z @ weight_hh  # B1f (N, H)
    return grad_x, grad_h, grad_c, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


class LSTMCell(RecurrentCell):
    """The next state, read through a gate from a memory that other gates keep and write.

    Parameters
    ----------
    input_size, hidden_size : int
        Sizes of the last axis of the input, and of state and memory.
    bias : bool
        Whether the two biases are learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the states.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, shapes (4 hidden_size, input_size) and (4 hidden_size, hidden_size)
        Rows for the input gate, the forget gate, what is written, and the output gate.
    bias_ih, bias_hh : Parameter of shape (4 hidden_size,), or None

    Raises
    ------
    TypeError
        If a size is not an integer, or the states are not a pair.
    ValueError
        If the input or a state does not have one or two axes.
    RuntimeError
        If a size is negative, or a shape or dtype is not the layer's.

    Examples
    --------
    With all weights zero, the gates are half open, and nothing is written:

    >>> cell = LSTMCell(1, 1, dtype=np.float64)
    >>> for parameter in cell.parameters():
    ...     parameter.data[...] = 0.0
    >>> h, c = cell(np.array([[1.0]]), (np.array([[0.0]]), np.array([[4.0]])))
    >>> c
    array([[2.]])
    >>> grad_x, (grad_h, grad_c) = cell.backward(None, np.array([[3.0]]))  # h is not used
    >>> grad_c
    array([[1.5]])
    >>> cell.bias_ih.grad  # rows i, f, g, o
    array([0. , 3. , 1.5, 0. ])
    """

    functions = lstm_cell, lstm_cell_backward
    inputs = grad_inputs = 3
    outputs = 2
    gates = 4

    def forward(self, x: np.ndarray, hx: tuple[np.ndarray, np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Map the input and the previous state and memory, zeros if they are left out, to the next state and memory."""
        self.check_input(x)
        if hx is None:
            hx = self.zeros(x), self.zeros(x)
        h, c = pair_of(self, hx)
        self.check_state(x, h)
        self.check_state(x, c)
        h1, c1 = self.step(x, h, c)
        return h1, c1

    def backward(
        self, grad_h: np.ndarray | None, grad_c: np.ndarray | None = None
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, np.ndarray]]:
        """Map the gradients of the next state and memory, None for one that is not used, to those of the inputs.

        Returns
        -------
        grad_x, (grad_h, grad_c)
            Of the input, and of the previous state and memory.
        """
        grad_x, grad_h_before, grad_c_before = self.step_back(grad_h, grad_c)
        return grad_x, (grad_h_before, grad_c_before)
