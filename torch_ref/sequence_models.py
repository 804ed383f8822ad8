"""Networks that read a sequence, on ``torch.nn`` and autograd. They mirror ``scratch/sequence_models.py``."""

import torch

from torch_ref import nn

CELLS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class RecurrentReader(nn.Module):
    """A recurrent layer over a sequence, and a linear layer on its last output.

    Parameters
    ----------
    cell : {"RNN", "GRU", "LSTM"}
        The recurrent layer.
    features, hidden, outputs : int
        Sizes of a step of the input, of the state, and of the output.
    dtype : torch.dtype
        float32 or float64.

    Shapes
    ------
    (N, T, features) to (N, outputs).
    """

    def __init__(self, cell: str, features: int, hidden: int, outputs: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.recurrent = CELLS[cell](features, hidden, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, outputs, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Read the sequence, and answer from the last output."""
        output, _ = self.recurrent(x)
        return self.head(output[:, -1])


class AttentionReader(nn.Module):
    """A linear layer on each step, a learned query that attends to all of them, and a linear layer on the result.

    Parameters
    ----------
    features, hidden, outputs : int
        Sizes of a step of the input, of a step's code, and of the output.
    dtype : torch.dtype
        float32 or float64.

    Shapes
    ------
    (N, T, features) to (N, outputs).
    """

    def __init__(self, features: int, hidden: int, outputs: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden, dtype=dtype)
        self.query = nn.Linear(1, hidden, bias=False, dtype=dtype)
        self.attention = nn.MultiheadAttention(hidden, 1, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, outputs, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Look at every step at once, and answer."""
        codes, query = self.embed(x), self.query(torch.ones((len(x), 1, 1), dtype=x.dtype, device=x.device))
        taken, _ = self.attention(query, codes, codes, need_weights=False)
        return self.head(taken[:, 0])


class FinalState(nn.Module):
    """The map from a recurrent layer's first state to its last, for given inputs.

    Its Jacobian is the product of the steps' Jacobians. The state is the hidden state h; for an LSTM it is the cell
    state c, and h begins at 0.

    Parameters
    ----------
    recurrent : RNN, GRU or LSTM
        The layer.
    x : torch.Tensor
        The inputs, (T, N, features).

    Shapes
    ------
    (N, hidden) to (N, hidden).
    """

    def __init__(self, recurrent: nn.Module, x: torch.Tensor) -> None:
        super().__init__()
        self.recurrent, self.x, self.has_cell = recurrent, x, isinstance(recurrent, nn.LSTM)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """Return the state after the last input."""
        state = state[None]
        _, last = self.recurrent(self.x, (torch.zeros_like(state), state) if self.has_cell else state)
        return (last[1] if self.has_cell else last)[0]
