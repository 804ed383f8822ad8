"""ResNet: residual blocks with batch norm, one ReLU object used twice in a block, and strided 1 x 1 shortcuts.

    y = relu(f(x) + s(x))      so the gradient goes two ways, and the two meet at x in a sum

Source: He et al., "Deep Residual Learning for Image Recognition", 2016; the layout of torchvision's BasicBlock.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS
from scratch import nn


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.Reused(nn.ReLU(inplace=True))
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: np.ndarray) -> np.ndarray:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.shortcut(x))

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        grad_sum = self.relu.backward(grad_y)
        grad_out = self.relu.backward(self.conv2.backward(self.bn2.backward(grad_sum)))
        return self.conv1.backward(self.bn1.backward(grad_out)) + self.shortcut.backward(grad_sum)


class ResNet(nn.Module):
    """A stem, three blocks, the mean over the image, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(Block(6, 6, 1), Block(6, 8, 2), Block(8, 8, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.head(self.blocks(self.stem(x)))

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        return self.stem.backward(self.blocks.backward(self.head.backward(grad_y)))


class TorchBlock(torch_ref.nn.Module):
    """`Block`, for autograd."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        nn = torch_ref.nn
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + self.shortcut(x))


class TorchResNet(torch_ref.nn.Module):
    """`ResNet`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch_ref.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(TorchBlock(6, 6, 1), TorchBlock(6, 8, 2), TorchBlock(8, 8, 1))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)))


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield images of five classes, each with a brighter corner or centre."""
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        labels = rng.integers(0, 5, 12)
        images = rng.normal(size=(12, 3, 9, 7))
        images[np.arange(12), :, labels, labels] += 3
        yield images, labels


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = ResNet().double(), nn.CrossEntropyLoss()
    optimizer = scratch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True)
    for images, labels in batches():
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchResNet().double(), torch_ref.nn.CrossEntropyLoss()
    optimizer = torch_ref.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True)
    for images, labels in batches():
        loss = criterion(model(torch.from_numpy(images)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
