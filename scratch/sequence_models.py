"""Networks that read a sequence: step by step, or all steps at once.

Read this file beside ``torch_ref/sequence_models.py``: the constructors and the forwards are the same, and the
``backward`` methods, which exist only here, do what autograd does in PyTorch.
"""

import numpy as np

from scratch import nn

CELLS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class RecurrentReader(nn.Module):
    """A recurrent layer over a sequence, and a linear layer on its last output.

    Parameters
    ----------
    cell : {"RNN", "GRU", "LSTM"}
        The recurrent layer.
    features, hidden, outputs : int
        Sizes of a step of the input, of the state, and of the output.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    (N, T, features) to (N, outputs).
    """

    def __init__(self, cell: str, features: int, hidden: int, outputs: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.recurrent = CELLS[cell](features, hidden, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, outputs, dtype=dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Read the sequence, and answer from the last output."""
        output, _ = self.recurrent(x)
        self.save_for_backward(shape=output.shape)
        return self.head(output[:, -1])

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        """Undo ``forward``: only the last output was used, so the gradients of the others are 0."""
        grad_output = np.zeros(self.saved("shape"), grad_y.dtype)
        grad_output[:, -1] = self.head.backward(grad_y)
        grad_x, _ = self.recurrent.backward(grad_output)
        return grad_x


class AttentionReader(nn.Module):
    """A linear layer on each step, a learned query that attends to all of them, and a linear layer on the result.

    Parameters
    ----------
    features, hidden, outputs : int
        Sizes of a step of the input, of a step's code, and of the output.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    (N, T, features) to (N, outputs).
    """

    def __init__(self, features: int, hidden: int, outputs: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden, dtype=dtype)
        self.query = nn.Linear(1, hidden, bias=False, dtype=dtype)
        self.attention = nn.MultiheadAttention(hidden, 1, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, outputs, dtype=dtype)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Look at every step at once, and answer."""
        codes, query = self.embed(x), self.query(np.ones((len(x), 1, 1), x.dtype))
        taken, _ = self.attention(query, codes, codes, need_weights=False)
        return self.head(taken[:, 0])

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        """Undo ``forward``: the codes are keys and values, and their two gradients add."""
        grad_taken = self.head.backward(grad_y)[:, None]
        grad_query, grad_keys, grad_values = self.attention.backward(grad_taken)
        self.query.backward(grad_query)
        return self.embed.backward(grad_keys + grad_values)


class FinalState(nn.Module):
    """The map from a recurrent layer's first state to its last, for given inputs.

    Its Jacobian is the product of the steps' Jacobians. The state is the hidden state h; for an LSTM it is the cell
    state c, and h begins at 0.

    Parameters
    ----------
    recurrent : RNN, GRU or LSTM
        The layer.
    x : numpy.ndarray
        The inputs, (T, N, features).

    Shapes
    ------
    (N, hidden) to (N, hidden).
    """

    def __init__(self, recurrent: nn.Module, x: np.ndarray) -> None:
        super().__init__()
        self.recurrent, self.x, self.has_cell = recurrent, x, isinstance(recurrent, nn.LSTM)

    def forward(self, state: np.ndarray) -> np.ndarray:
        """Return the state after the last input."""
        state = state[None]
        _, last = self.recurrent(self.x, (np.zeros_like(state), state) if self.has_cell else state)
        return (last[1] if self.has_cell else last)[0]

    def backward(self, grad_last: np.ndarray) -> np.ndarray:
        """Undo ``forward``."""
        grad = grad_last[None]
        _, grad_state = self.recurrent.backward(None, (None, grad) if self.has_cell else grad)
        return (grad_state[1] if self.has_cell else grad_state)[0]
