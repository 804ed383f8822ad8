"""DCGAN: a generator of transposed convolutions, which learns from the discriminator's gradient of its input.

    D:  L = BCE(D(x), 1) + BCE(D(G(z)), 0)        G is a constant: what D returns as its input's gradient is dropped
    G:  L = BCE(D(G(z)), 1)                       D is a constant: that gradient goes on into G

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016; PyTorch's tutorial of that name.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import scratch
import torch_ref
from parity_tests.ports import STEPS

CODE, BATCH = 5, 6


def generator(nn: Any) -> Any:
    """Return a network from codes (N, CODE, 1, 1) to images (N, 1, 12, 12), of either engine."""
    return nn.Sequential(
        nn.ConvTranspose2d(CODE, 8, 3, 1, 0, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(True),
        nn.ConvTranspose2d(8, 6, 4, 2, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(True),
        nn.ConvTranspose2d(6, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator(nn: Any) -> Any:
    """Return a network from images to the probability that they are real, of either engine."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(6, 8, 4, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(8, 1, 3, 1, 0, bias=False),
        nn.Sigmoid(),
        nn.Flatten(0),
    )


def initialized(nn: Any, network: Any) -> Any:
    """Draw the tutorial's initial values; return the network, in float64."""

    def draw(module: Any) -> None:
        name = type(module).__name__
        if name.startswith("Conv"):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif name.startswith("BatchNorm"):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)

    return network.apply(draw).double()


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield images of a bright spot, within [-1, 1], and codes."""
    rng = np.random.default_rng(6)
    rows = np.arange(12.0)
    for _ in range(STEPS):
        y, x = rng.uniform(3, 9, (2, BATCH, 1, 1))
        spots = np.exp(-((rows[:, None] - y) ** 2 + (rows - x) ** 2) / 6)
        yield 2 * spots[:, None] - 1, rng.normal(size=(BATCH, CODE, 1, 1))


def by_hand() -> Iterator[float]:
    """Yield the sums of both losses of the model on `scratch`."""
    scratch.manual_seed(0)
    nn, optim = scratch.nn, scratch.optim
    g, d = initialized(nn, generator(nn)), initialized(nn, discriminator(nn))
    criterion = nn.BCELoss()
    g_optimizer = optim.Adam(g.parameters(), lr=2e-3, betas=(0.5, 0.999))
    d_optimizer = optim.Adam(d.parameters(), lr=2e-3, betas=(0.5, 0.999))
    real, fake = np.ones(BATCH), np.zeros(BATCH)
    for images, codes in batches():
        d_optimizer.zero_grad()
        d_loss = float(criterion(d(images), real))
        d.backward(criterion.backward())
        made = g(codes)
        d_loss += float(criterion(d(made), fake))
        d.backward(criterion.backward())
        d_optimizer.step()

        g_optimizer.zero_grad()
        g_loss = float(criterion(d(made), real))
        g.backward(d.backward(criterion.backward()))
        g_optimizer.step()
        yield d_loss + g_loss


def by_autograd() -> Iterator[float]:
    """Yield the sums of both losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    nn, optim = torch_ref.nn, torch_ref.optim
    g, d = initialized(nn, generator(nn)), initialized(nn, discriminator(nn))
    criterion = nn.BCELoss()
    g_optimizer = optim.Adam(g.parameters(), lr=2e-3, betas=(0.5, 0.999))
    d_optimizer = optim.Adam(d.parameters(), lr=2e-3, betas=(0.5, 0.999))
    real, fake = torch.ones(BATCH).double(), torch.zeros(BATCH).double()
    for arrays in batches():
        images, codes = map(torch.from_numpy, arrays)
        d_optimizer.zero_grad()
        d_real = criterion(d(images), real)
        d_real.backward()
        made = g(codes)
        d_fake = criterion(d(made.detach()), fake)
        d_fake.backward()
        d_optimizer.step()

        g_optimizer.zero_grad()
        g_loss = criterion(d(made), real)
        g_loss.backward()
        g_optimizer.step()
        yield (d_real + d_fake).item() + g_loss.item()
