"""An LSTM language model with tied weights: the decoder's matrix is the embedding's.

One array is used twice, so its gradient is a sum: what each word's row gets as an input, and what it gets as an output.

Source: Press and Wolf, "Using the Output Embedding to Improve Language Models", 2017; PyTorch's example
"Word-level Language Modeling".
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

WORDS, HIDDEN, LENGTH, BATCH = 17, 10, 6, 4
State = tuple


class LanguageModel(scratch.nn.Module):
    """Scores of the next word at each position."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_in = scratch.nn.Dropout(0.2)
        self.encoder = scratch.nn.Embedding(WORDS, HIDDEN)
        self.lstm = scratch.nn.LSTM(HIDDEN, HIDDEN, num_layers=2, dropout=0.2)
        self.drop_out = scratch.nn.Dropout(0.2)
        self.decoder = scratch.nn.Linear(HIDDEN, WORDS)
        self.decoder.weight = self.encoder.weight
        scratch.nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        scratch.nn.init.zeros_(self.decoder.bias)

    def forward(self, words: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
        output, state = self.lstm(self.drop_in(self.encoder(words)), state)
        return self.decoder(self.drop_out(output)), state

    def backward(self, grad_y: np.ndarray) -> None:
        grad_output = self.drop_out.backward(self.decoder.backward(grad_y))
        grad_embedded, _ = self.lstm.backward(grad_output)
        self.encoder.backward(self.drop_in.backward(grad_embedded))


class TorchLanguageModel(torch_ref.nn.Module):
    """`LanguageModel`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_in = torch_ref.nn.Dropout(0.2)
        self.encoder = torch_ref.nn.Embedding(WORDS, HIDDEN)
        self.lstm = torch_ref.nn.LSTM(HIDDEN, HIDDEN, num_layers=2, dropout=0.2)
        self.drop_out = torch_ref.nn.Dropout(0.2)
        self.decoder = torch_ref.nn.Linear(HIDDEN, WORDS)
        self.decoder.weight = self.encoder.weight
        torch_ref.nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        torch_ref.nn.init.zeros_(self.decoder.bias)

    def forward(self, words: Tensor, state: State | None) -> tuple[Tensor, State]:
        output, state = self.lstm(self.drop_in(self.encoder(words)), state)
        return self.decoder(self.drop_out(output)), state


def pieces() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pieces of sentences in which a word says what the next one may be, and the words that follow."""
    rng = np.random.default_rng(5)
    words = [rng.integers(0, WORDS, BATCH)]
    for _ in range(STEPS * LENGTH):
        words.append((2 * words[-1] + rng.integers(0, 3, BATCH)) % WORDS)
    for start in range(0, STEPS * LENGTH, LENGTH):
        yield np.stack(words[start : start + LENGTH]), np.stack(words[start + 1 : start + LENGTH + 1])


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = LanguageModel().double(), scratch.nn.CrossEntropyLoss()
    optimizer = scratch.optim.SGD(model.parameters(), lr=5.0)
    scheduler = scratch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.25, patience=1)
    state = None
    for words, following in pieces():
        logits, state = model(words, state)
        loss = criterion(logits.reshape(-1, WORDS), following.reshape(-1))
        optimizer.zero_grad()
        model.backward(criterion.backward().reshape(logits.shape))
        scratch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        scheduler.step(float(loss))
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchLanguageModel().double(), torch_ref.nn.CrossEntropyLoss()
    optimizer = torch_ref.optim.SGD(model.parameters(), lr=5.0)
    scheduler = torch_ref.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.25, patience=1)
    state = None
    for words, following in pieces():
        logits, state = model(torch.from_numpy(words), state)
        state = tuple(one.detach() for one in state)
        loss = criterion(logits.reshape(-1, WORDS), torch.from_numpy(following).reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch_ref.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        scheduler.step(loss.item())
        yield loss.item()
