r"""RNNCell: one step of a recurrent network. The next state is computed from the input and the previous state.

    N  batch        x   (N, I)  input             weight_ih  (H, I)  from input to state
    I  input_size   h   (N, H)  state before      weight_hh  (H, H)  from state to state
    H  hidden_size  h1  (N, H)  next state        bias_ih, bias_hh  (H,)

rnn_cell
    F1  a = x weight_ih^T + bias_ih              (N, H)
    F2  b = h weight_hh^T + bias_hh              (N, H)
    F3  z = a + b                                (N, H)
    F4  h1 = tanh(z), or max(0, z)               (N, H)

    B4  grad_z = grad_h1 (1 - h1^2),
                 or grad_h1 where h1 > 0         (N, H)   F4: tanh' = 1 - tanh^2; a ReLU passes on what it let through
    B2a grad_bias_hh = sum_n grad_z              (H,)     F3 and F2: a sum passes its gradient on unchanged, so
                                                          grad_a = grad_b = grad_z; a broadcast becomes a sum
    B2b grad_weight_hh = grad_z^T h              (H, H)   F2: as in Linear
    B2c grad_h = grad_z weight_hh                (N, H)   F2: likewise
    B1a grad_bias_ih = sum_n grad_z              (H,)     F3 and F1: as B2a
    B1b grad_weight_ih = grad_z^T x              (H, I)   F1: as in Linear
    B1c grad_x = grad_z weight_ih                (N, I)   F1: likewise

B2c is the step that a gradient takes back in time. Over many steps it is multiplied by weight_hh and by slopes of 1 or
less, again and again: it vanishes, or, if weight_hh stretches more than the slopes shrink, explodes.

The two biases always act as their sum, and have the same gradient. PyTorch has both, since cuDNN does.

Sources: Elman, "Finding Structure in Time", 1990; Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent
neural networks", 2013 (vanishing and exploding gradients). PyTorch's counterpart: ``torch.nn.RNNCell``. Left out:
``device``.
"""

import numpy as np

from scratch.checks import DType
from scratch.nn.recurrent_cell import CellOfOneState


def rnn_cell(
    x: np.ndarray,
    h: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray,
    bias_hh: np.ndarray,
    nonlinearity: str,
) -> tuple[np.ndarray, tuple]:
    """Return the next state; ``nonlinearity`` is "tanh" or "relu"."""
    a = x @ weight_ih.T + bias_ih  # F1 (N, H)
    b = h @ weight_hh.T + bias_hh  # F2 (N, H)
    z = a + b  # F3 (N, H)
    h1 = np.tanh(z) if nonlinearity == "tanh" else np.maximum(0, z)  # F4 (N, H)
    return h1, (x, h, h1)


def rnn_cell_backward(
    grad_h1: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, nonlinearity: str, saved: tuple
) -> tuple[np.ndarray, ...]:
    """Undo `rnn_cell`."""
    x, h, h1 = saved
    grad_z = grad_h1 * (1 - h1**2) if nonlinearity == "tanh" else np.where(h1 <= 0, 0, grad_h1)  # B4 (N, H)
    grad_bias_hh = grad_z.sum(axis=0)  # B2a (H,)
    grad_weight_hh = grad_z.T @ h  # B2b (H, H)
    grad_h = grad_z @ weight_hh  # B2c (N, H)
    grad_bias_ih = grad_z.sum(axis=0)  # B1a (H,)
    grad_weight_ih = grad_z.T @ x  # B1b (H, I)
    grad_x = grad_z @ weight_ih  # B1c (N, I)
    return grad_x, grad_h, grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


class RNNCell(CellOfOneState):
    """The next state, h1 = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Sizes of the last axis of the input and of the state.
    bias : bool
        Whether the two biases are learned and added.
    nonlinearity : str
        "tanh" or "relu".
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the states.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, shapes (hidden_size, input_size) and (hidden_size, hidden_size)
    bias_ih, bias_hh : Parameter of shape (hidden_size,), or None

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If the input or the state does not have one or two axes.
    RuntimeError
        If ``nonlinearity`` is neither, a size is negative, or a shape or dtype is not the layer's.

    Examples
    --------
    >>> cell = RNNCell(1, 1, nonlinearity="relu")
    >>> cell.weight_ih.data[...], cell.weight_hh.data[...] = 2.0, 3.0
    >>> cell.bias_ih.data[...], cell.bias_hh.data[...] = 0.5, 0.5
    >>> x, h = np.array([[10.0]], np.float32), np.array([[4.0]], np.float32)
    >>> cell(x, h)
    array([[33.]], dtype=float32)
    >>> cell.backward(np.array([[5.0]], np.float32))
    (array([[10.]], dtype=float32), array([[15.]], dtype=float32))
    >>> cell.weight_hh.grad
    array([[20.]], dtype=float32)
    """

    functions = rnn_cell, rnn_cell_backward
    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: DType = np.float32,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"RNNCell: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def arguments(self) -> tuple:
        """Return `rnn_cell`'s arguments after the state."""
        return *super().arguments(), self.nonlinearity

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")
