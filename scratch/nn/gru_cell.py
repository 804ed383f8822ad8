r"""GRUCell: a recurrent step whose two gates say how much of the state to keep, and how much of it to look at.

    N  batch        x   (N, I)  input             weight_ih  (3H, I)  from input to the gates, rows r, z, n
    I  input_size   h   (N, H)  state before      weight_hh  (3H, H)  from state to the gates, rows r, z, n
    H  hidden_size  h1  (N, H)  next state        bias_ih, bias_hh  (3H,)
    r  reset gate   z  update gate                n  new state, as proposed

gru_cell
    F1  a = x weight_ih^T + bias_ih              (N, 3H)
    F2  b = h weight_hh^T + bias_hh              (N, 3H)
    F3  a_r, a_z, a_n = thirds of a              (N, H)   each
    F4  b_r, b_z, b_n = thirds of b              (N, H)   each
    F5  r = 1 / (1 + exp(-(a_r + b_r)))          (N, H)   how much of the state the proposal looks at
    F6  z = 1 / (1 + exp(-(a_z + b_z)))          (N, H)   how much of the state is kept
    F7  n = tanh(a_n + r b_n)                    (N, H)   the proposal
    F8  h1 = (1 - z) n + z h                     (N, H)   between the proposal and the state

    B8a grad_z = grad_h1 (h - n)                 (N, H)   F8: z is used twice: an addition
    B8b grad_n = grad_h1 (1 - z)                 (N, H)   F8: a product, times the other factor
    B7a grad_a_n = grad_n (1 - n^2)              (N, H)   F7: tanh' = 1 - tanh^2
    B7b grad_b_n = grad_a_n r                    (N, H)   F7: a product, times the other factor
    B7c grad_r = grad_a_n b_n                    (N, H)   F7: likewise
    B6  grad_a_z = grad_z z (1 - z)              (N, H)   F6: the sigmoid's slope. grad_b_z is the same: a sum
    B5  grad_a_r = grad_r r (1 - r)              (N, H)   F5: likewise. grad_b_r is the same
    B4  grad_b = grad_a_r, grad_a_z, grad_b_n    (N, 3H)  F4: the thirds, side by side
    B3  grad_a = grad_a_r, grad_a_z, grad_a_n    (N, 3H)  F3: likewise
    B2a grad_bias_hh = sum_n grad_b              (3H,)    F2: a broadcast becomes a sum over the batch
    B2b grad_weight_hh = grad_b^T h              (3H, H)  F2: as in Linear
    B2c grad_h = grad_h1 z + grad_b weight_hh    (N, H)   F8 and F2: h is used twice: an addition
    B1a grad_bias_ih = sum_n grad_a              (3H,)    F1: as B2a
    B1b grad_weight_ih = grad_a^T x              (3H, I)  F1: as in Linear
    B1c grad_x = grad_a weight_ih                (N, I)   F1: likewise

The first term of B2c bypasses the weights: where z is near 1, the gradient goes back in time nearly unchanged.

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, section 2.3. There r multiplies
the state before weight_hh does; F7 multiplies afterwards, as cuDNN and PyTorch do, so that one matrix product serves
all three gates. Some papers swap z and 1 - z. PyTorch's counterpart: ``torch.nn.GRUCell``. Left out: ``device``.
"""

import numpy as np

from scratch.nn.recurrent_cell import CellOfOneState


def gru_cell(
    x: np.ndarray,
    h: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
) -> tuple[np.ndarray, tuple]:
    """Return the next state."""
    a = x @ weight_ih.T + bias_ih  # F1 (N, 3H)
    b = h @ weight_hh.T + bias_hh  # F2 (N, 3H)
    a_r, a_z, a_n = np.split(a, 3, axis=1)  # F3 (N, H)
    b_r, b_z, b_n = np.split(b, 3, axis=1)  # F4 (N, H)
    r = 1 / (1 + np.exp(-(a_r + b_r)))  # F5 (N, H)
    z = 1 / (1 + np.exp(-(a_z + b_z)))  # F6 (N, H)
    n = np.tanh(a_n + r * b_n)  # F7 (N, H)
    h1 = (1 - z) * n + z * h  # F8 (N, H)
    return h1, (x, h, b_n, r, z, n)


def gru_cell_backward(
    grad_h1: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, saved: tuple
) -> tuple[np.ndarray, ...]:
    """Undo `gru_cell`."""
    x, h, b_n, r, z, n = saved
    grad_z = grad_h1 * (h - n)  # B8a (N, H)
    grad_n = grad_h1 * (1 - z)  # B8b (N, H)
    grad_a_n = grad_n * (1 - n**2)  # B7a (N, H)
    grad_b_n = grad_a_n * r  # B7b (N, H)
    grad_r = grad_a_n * b_n  # B7c (N, H)
    grad_a_z = grad_z * (z * (1 - z))  # B6 (N, H)
    grad_a_r = grad_r * (r * (1 - r))  # B5 (N, H)
    grad_b = np.concatenate([grad_a_r, grad_a_z, grad_b_n], axis=1)  # B4 (N, 3H)
    grad_a = np.concatenate([grad_a_r, grad_a_z, grad_a_n], axis=1)  # B3 (N, 3H)
    grad_bias_hh = grad_b.sum(axis=0)  # B2a (3H,)
    grad_weight_hh = grad_b.T @ h  # B2b (3H, H)
    grad_h = grad_h1 * z + grad_b @ weight_hh  # B2c (N, H)
    grad_bias_ih = grad_a.sum(axis=0)  # B1a (3H,)
    grad_weight_ih = grad_a.T @ x  # B1b (3H, I)
    grad_x = grad_a @ weight_ih  # B1c (N, I)
    return grad_x, grad_h, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


class GRUCell(CellOfOneState):
    """The next state, between the previous state and a proposed one: a gate decides, for each element.

    Parameters
    ----------
    input_size, hidden_size : int
        Sizes of the last axis of the input and of the state.
    bias : bool
        Whether the two biases are learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the states.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, shapes (3 hidden_size, input_size) and (3 hidden_size, hidden_size)
        Rows for the reset gate, the update gate and the new state.
    bias_ih, bias_hh : Parameter of shape (3 hidden_size,), or None

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If the input or the state does not have one or two axes.
    RuntimeError
        If a size is negative, or a shape or dtype is not the layer's.

    Examples
    --------
    With all weights zero, both gates are half open, and the proposed state is 0:

    >>> cell = GRUCell(1, 1, dtype=np.float64)
    >>> for parameter in cell.parameters():
    ...     parameter.data[...] = 0.0
    >>> cell(np.array([[1.0]]), np.array([[4.0]]))
    array([[2.]])
    >>> cell.backward(np.array([[3.0]]))
    (array([[0.]]), array([[1.5]]))
    >>> cell.bias_ih.grad  # rows r, z, n
    array([0. , 3. , 1.5])
    """

    functions = gru_cell, gru_cell_backward
    gates = 3
