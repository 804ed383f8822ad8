"""A variational autoencoder: a code with a mean and a spread, drawn by the reparameterization trick.

    z = mu + exp(s / 2) eps                       s = log sigma^2, eps drawn from N(0, 1)
    L = BCE(decode(z), x) - 1/2 sum (1 + s - mu^2 - exp(s))

The encoder's features go into two heads, and mu and s into both terms of the loss: four sums by hand.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B; PyTorch's example of that name.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

PIXELS, HIDDEN, CODE = 30, 16, 3


def parts(nn: Any) -> dict[str, Any]:
    """Return the network's parts, of either engine."""
    return {
        "features": nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU()),
        "mean": nn.Linear(HIDDEN, CODE),
        "log_var": nn.Linear(HIDDEN, CODE),
        "decoder": nn.Sequential(nn.Linear(CODE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS), nn.Sigmoid()),
    }


class VAE(scratch.nn.Module):
    """Encoder, draw, decoder."""

    def __init__(self) -> None:
        super().__init__()
        for name, part in parts(scratch.nn).items():
            setattr(self, name, part)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features = self.features(x)
        mean, log_var = self.mean(features), self.log_var(features)
        std, eps = np.exp(0.5 * log_var), scratch.random.randn(*mean.shape, dtype=np.float64)
        self.save_for_backward(std=std, eps=eps)
        return self.decoder(mean + std * eps), mean, log_var

    def backward(self, grad_y: np.ndarray, grad_mean: np.ndarray, grad_log_var: np.ndarray) -> np.ndarray:
        std, eps = self.saved("std", "eps")
        grad_z = self.decoder.backward(grad_y)
        grad_features = self.mean.backward(grad_mean + grad_z)
        grad_features += self.log_var.backward(grad_log_var + 0.5 * grad_z * std * eps)
        return self.features.backward(grad_features)


class TorchVAE(torch_ref.nn.Module):
    """`VAE`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        for name, part in parts(torch_ref.nn).items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.features(x)
        mean, log_var = self.mean(features), self.log_var(features)
        std = torch.exp(0.5 * log_var)
        return self.decoder(mean + std * torch.randn_like(std)), mean, log_var


def batches() -> Iterator[np.ndarray]:
    """Yield images of stripes, with values within [0, 1]."""
    rng = np.random.default_rng(2)
    for _ in range(STEPS):
        yield 0.5 + 0.5 * np.sin(rng.uniform(0, 6, (9, 1)) + rng.uniform(0.2, 0.6, (9, 1)) * np.arange(PIXELS))


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, reconstruction = VAE().double(), scratch.nn.BCELoss(reduction="sum")
    optimizer = scratch.optim.Adam(model.parameters(), lr=3e-3)
    for x in batches():
        y, mean, log_var = model(x)
        loss = reconstruction(y, x) - 0.5 * np.sum(1 + log_var - mean**2 - np.exp(log_var))
        optimizer.zero_grad()
        model.backward(reconstruction.backward(), mean, 0.5 * (np.exp(log_var) - 1))
        optimizer.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, reconstruction = TorchVAE().double(), torch_ref.nn.BCELoss(reduction="sum")
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=3e-3)
    for x in map(torch.from_numpy, batches()):
        y, mean, log_var = model(x)
        loss = reconstruction(y, x) - 0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
