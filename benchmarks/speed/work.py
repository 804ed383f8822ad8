"""What is timed: layers at the shapes of the course's networks, and whole training steps.

Each piece of work is written once and given a contender's package (``nn``, ``models``, ...), like the tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np


@dataclass(frozen=True)
class Layer:
    """A layer and the shape of its input.

    Attributes
    ----------
    name, network : str
        What it is, and which network it is from.
    build : callable
        Takes a package's ``nn`` and a dtype, and returns the layer.
    shape : tuple of int
    products : int
        Multiply-adds of the matrix product in its forward pass; 0 if there is none. Backward has two such products.
    indices : int
        The input is an array of indices below this number; 0 if its values are real numbers.
    places : int
        How many of the layer's arguments are the input: three for self-attention.
    """

    name: str
    network: str
    build: Callable
    shape: tuple[int, ...]
    products: int = 0
    indices: int = 0
    places: int = 1

    def input(self, dtype: str) -> np.ndarray:
        """Return an input, the same every time."""
        if self.indices:
            return np.random.default_rng(1).integers(0, self.indices, self.shape)
        return upstream(self.shape, dtype)

    @property
    def operations(self) -> int:
        """Floating-point operations of the products, forward and backward, as they are usually counted.

        `scratch.kernels.winograd` takes fewer.
        """
        return 3 * 2 * self.products


def _conv(
    network: str, c: int, o: int, kernel: int, shape: tuple[int, ...], stride: int = 1, padding: int = 0
) -> Layer:
    side = (shape[2] + 2 * padding - kernel) // stride + 1
    name = f"Conv2d {c} to {o}, {kernel}x{kernel}" + (f", stride {stride}" if stride > 1 else "")
    return Layer(
        name,
        network,
        lambda nn, dtype: nn.Conv2d(c, o, kernel, stride=stride, padding=padding, dtype=dtype),
        shape,
        shape[0] * o * side * side * c * kernel * kernel,
    )


def _conv_transpose(
    network: str, c: int, o: int, kernel: int, shape: tuple[int, ...], stride: int = 1, padding: int = 0
) -> Layer:
    return Layer(
        f"ConvTranspose2d {c} to {o}, {kernel}x{kernel}, stride {stride}",
        network,
        lambda nn, dtype: nn.ConvTranspose2d(c, o, kernel, stride=stride, padding=padding, dtype=dtype),
        shape,
        prod(shape) * o * kernel * kernel,
    )


def _recurrent(name: str, gates: int) -> Layer:
    n, steps, i, hidden = 32, 20, 64, 128
    build = lambda nn, dtype: getattr(nn, name)(i, hidden, batch_first=True, dtype=dtype)  # noqa: E731
    products = n * steps * gates * hidden * (i + hidden)
    return Layer(f"{name} {i} to {hidden}", "sequences", build, (n, steps, i), products)


def _attention(n: int, length: int, size: int, heads: int) -> Layer:
    build = lambda nn, dtype: nn.MultiheadAttention(size, heads, batch_first=True, dtype=dtype)  # noqa: E731
    products = n * length * (4 * size * size + 2 * length * size)
    return Layer(f"MultiheadAttention, {heads} heads", "sequences", build, (n, length, size), products, places=3)


def _embedding(words: int, size: int, shape: tuple[int, ...]) -> Layer:
    build = lambda nn, dtype: nn.Embedding(words, size, dtype=dtype)  # noqa: E731
    return Layer(f"Embedding {words} to {size}", "sequences", build, shape, indices=words)


def _linear(network: str, batch: int, i: int, o: int) -> Layer:
    build = lambda nn, dtype: nn.Linear(i, o, dtype=dtype)  # noqa: E731
    return Layer(f"Linear {i} to {o}", network, build, (batch, i), batch * i * o)


def layers(batch: int = 128, frames: int = 32) -> list[Layer]:
    """Return layers of SmallCNN (batch 128), the Atari encoder and a decoder (batch 32), MLPs and sequences."""
    cnn, atari, decoder = "SmallCNN", "Atari encoder", "decoder"
    return [
        _conv(cnn, 1, 32, 3, (batch, 1, 28, 28), padding=1),
        Layer("ReLU", cnn, lambda nn, dtype: nn.ReLU(), (batch, 32, 28, 28)),
        Layer("MaxPool2d 2", cnn, lambda nn, dtype: nn.MaxPool2d(2), (batch, 32, 28, 28)),
        _conv(cnn, 32, 64, 3, (batch, 32, 14, 14), padding=1),
        Layer("ReLU", cnn, lambda nn, dtype: nn.ReLU(), (batch, 64, 14, 14)),
        Layer("MaxPool2d 2", cnn, lambda nn, dtype: nn.MaxPool2d(2), (batch, 64, 14, 14)),
        _linear(cnn, batch, 3136, 128),
        Layer("Dropout", cnn, lambda nn, dtype: nn.Dropout(0.2), (batch, 128)),
        _linear(cnn, batch, 128, 10),
        _conv(atari, 4, 32, 8, (frames, 4, 84, 84), stride=4),
        _conv(atari, 32, 64, 4, (frames, 32, 20, 20), stride=2),
        _conv(atari, 64, 64, 3, (frames, 64, 9, 9)),
        _linear(atari, frames, 3136, 512),
        _conv_transpose(decoder, 128, 64, 5, (frames, 128, 5, 5), stride=2),
        _conv_transpose(decoder, 64, 32, 4, (frames, 64, 14, 14), stride=2, padding=1),
        _conv_transpose(decoder, 32, 3, 4, (frames, 32, 28, 28), stride=2, padding=1),
        Layer("BatchNorm1d", "MLP", lambda nn, dtype: nn.BatchNorm1d(64, dtype=dtype), (64, 64)),
        Layer("BatchNorm2d", "images", lambda nn, dtype: nn.BatchNorm2d(32, dtype=dtype), (batch, 32, 14, 14)),
        Layer("LayerNorm", "rows", lambda nn, dtype: nn.LayerNorm(512, dtype=dtype), (batch, 512)),
        Layer("GELU", "rows", lambda nn, dtype: nn.GELU(), (batch, 512)),
        _recurrent("RNN", gates=1),
        _recurrent("GRU", gates=3),
        _recurrent("LSTM", gates=4),
        _attention(n=32, length=50, size=128, heads=8),
        _embedding(10_000, 128, (32, 50)),
    ]


@dataclass(frozen=True)
class Step:
    """A whole training step: forward, loss, backward, Adam.

    Attributes
    ----------
    name : str
    build : callable
        Takes a package's ``models`` and a dtype, and returns the network.
    adam : dict
        Adam's options.
    shape : tuple of int
        The input's.
    classes : int
    """

    name: str
    build: Callable
    adam: dict
    shape: tuple[int, ...]
    classes: int

    def data(self, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and class indices, the same every time."""
        rng = np.random.default_rng(0)
        return rng.random(self.shape).astype(dtype), rng.integers(0, self.classes, self.shape[0])


def cnn_step(batch: int = 128) -> Step:
    """Return SmallCNN's step, as in MNIST's recipe."""
    build = lambda models, dtype: models.SmallCNN(dtype=dtype)  # noqa: E731
    return Step(f"SmallCNN, batch {batch}", build, {"lr": 1e-3}, (batch, 1, 28, 28), 10)


def mlp_step() -> Step:
    """Return the MLP's step, as in the recipe for moons."""
    build = lambda models, dtype: models.MLP(pdrop=0.1, use_bn=True, dtype=dtype)  # noqa: E731
    return Step("MLP, batch 64", build, {"lr": 3e-3, "weight_decay": 1e-4}, (64, 2), 2)


def upstream(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return a random upstream gradient."""
    return np.random.default_rng(1).standard_normal(prod(shape)).reshape(shape).astype(dtype)
