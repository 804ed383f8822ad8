"""A character model: embedding, two layers of GRU, and a linear layer; backpropagation through time, truncated.

A long text is read in pieces. The state goes from one piece to the next, the gradient does not: what the GRU returns as
the gradient of its first state is dropped.

Source: Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015; PyTorch's tutorials.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

TEXT = "the derivation is the code, and speed is a swap. " * 30
LETTERS = sorted(set(TEXT))
HIDDEN, PIECE, STREAMS = 12, 7, 5


class CharRNN(scratch.nn.Module):
    """Scores of the next letter at each position."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = scratch.nn.Embedding(len(LETTERS), HIDDEN)
        self.gru = scratch.nn.GRU(HIDDEN, HIDDEN, num_layers=2, dropout=0.2)
        self.decoder = scratch.nn.Linear(HIDDEN, len(LETTERS))

    def forward(self, letters: np.ndarray, state: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        output, state = self.gru(self.embedding(letters), state)
        return self.decoder(output), state

    def backward(self, grad_y: np.ndarray) -> None:
        grad_embedded, _ = self.gru.backward(self.decoder.backward(grad_y))
        self.embedding.backward(grad_embedded)


class TorchCharRNN(torch_ref.nn.Module):
    """`CharRNN`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch_ref.nn.Embedding(len(LETTERS), HIDDEN)
        self.gru = torch_ref.nn.GRU(HIDDEN, HIDDEN, num_layers=2, dropout=0.2)
        self.decoder = torch_ref.nn.Linear(HIDDEN, len(LETTERS))

    def forward(self, letters: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        output, state = self.gru(self.embedding(letters), state)
        return self.decoder(output), state


def pieces() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pieces of several streams, (T, N), and the letters that follow them."""
    letters = np.array([LETTERS.index(letter) for letter in TEXT])
    streams = letters[: len(letters) // STREAMS * STREAMS].reshape(STREAMS, -1).T
    for step in range(STEPS):
        piece = streams[PIECE * step : PIECE * (step + 1) + 1]
        yield piece[:-1], piece[1:]


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = CharRNN().double(), scratch.nn.CrossEntropyLoss()
    optimizer = scratch.optim.RMSprop(model.parameters(), lr=2e-3, momentum=0.5, centered=True)
    state = None
    for letters, following in pieces():
        logits, state = model(letters, state)
        loss = criterion(logits.reshape(-1, len(LETTERS)), following.reshape(-1))
        optimizer.zero_grad()
        model.backward(criterion.backward().reshape(logits.shape))
        scratch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchCharRNN().double(), torch_ref.nn.CrossEntropyLoss()
    optimizer = torch_ref.optim.RMSprop(model.parameters(), lr=2e-3, momentum=0.5, centered=True)
    state = None
    for letters, following in pieces():
        logits, state = model(torch.from_numpy(letters), state)
        state = state.detach()
        loss = criterion(logits.reshape(-1, len(LETTERS)), torch.from_numpy(following).reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch_ref.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        yield loss.item()
