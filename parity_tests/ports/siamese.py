"""A siamese network: one encoder for both images of a pair, and a loss on the difference of their codes.

    y = head(|f(a) - f(b)|)      f is applied twice, so its parameters' gradients are the sums of two backwards

Source: Koch et al., "Siamese Neural Networks for One-shot Image Recognition", 2015; PyTorch's example of that name.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import scratch
import torch_ref
from parity_tests.ports import STEPS


def encoder(nn: Any) -> Any:
    """Return the network that both images go through, of either engine."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 3 * 3, 8), nn.Tanh()
    )


class Siamese(scratch.nn.Module):
    """Two codes, their distance in each number, and a linear layer on it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = scratch.nn.Reused(encoder(scratch.nn))
        self.head = scratch.nn.Linear(8, 1)

    def forward(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        difference = self.encoder(a) - self.encoder(b)
        self.save_for_backward(sign=np.sign(difference))
        return self.head(np.abs(difference))

    def backward(self, grad_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grad_difference = self.head.backward(grad_y) * self.saved("sign")
        grad_b = self.encoder.backward(-grad_difference)  # the last application first
        grad_a = self.encoder.backward(grad_difference)
        return grad_a, grad_b


class TorchSiamese(torch_ref.nn.Module):
    """`Siamese`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = encoder(torch_ref.nn)
        self.head = torch_ref.nn.Linear(8, 1)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.head((self.encoder(a) - self.encoder(b)).abs())


def batches() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield pairs of noisy images, half of them of one pattern."""
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(4, 1, 7, 6))
    for _ in range(STEPS):
        first, second = rng.integers(0, 4, (2, 10))
        second[:5] = first[:5]
        a, b = (patterns[which] + 0.3 * rng.normal(size=(10, 1, 7, 6)) for which in (first, second))
        yield a, b, (first == second).astype(float)[:, None]


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = Siamese().double(), scratch.nn.BCEWithLogitsLoss()
    optimizer = scratch.optim.Adam(model.parameters(), lr=0.01)
    for a, b, same in batches():
        loss = criterion(model(a, b), same)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchSiamese().double(), torch_ref.nn.BCEWithLogitsLoss()
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=0.01)
    for a, b, same in batches():
        loss = criterion(model(torch.from_numpy(a), torch.from_numpy(b)), torch.from_numpy(same))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
