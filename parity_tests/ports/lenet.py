"""PyTorch's first MNIST example: two convolutions, dropout of whole channels, and F.relu and F.max_pool2d as functions.

Steps without parameters are called as functions of `scratch.nn.functional`, and the model keeps what they save for
backward: ReLU is used in three places, and needs no module in any of them.

Source: the examples that come with PyTorch, "Basic MNIST Example"; LeCun et al., "Gradient-Based Learning Applied to
Document Recognition", 1998.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS
from scratch import nn
from scratch.nn import functional

# 2 x 2 with stride 2, without padding or dilation, sizes rounded down, without indices.
WINDOW = ((2, 2), (2, 2), (0, 0), (1, 1), False, False)


class Net(nn.Module):
    """Logarithms of the probabilities of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.drop_channels = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.drop = nn.Dropout()
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: np.ndarray) -> np.ndarray:
        x, pooled1, _ = functional.max_pool2d(self.conv1(x), *WINDOW)
        x, relu1 = functional.relu(x)
        x, pooled2, _ = functional.max_pool2d(self.drop_channels(self.conv2(x)), *WINDOW)
        x, relu2 = functional.relu(x)
        shape = x.shape
        x, relu3 = functional.relu(self.fc1(x.reshape(len(x), -1)))
        y, softmax = functional.log_softmax(self.fc2(self.drop(x)))
        self.save_for_backward(kept=(pooled1, relu1, pooled2, relu2, relu3, softmax), shape=shape)
        return y

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        (pooled1, relu1, pooled2, relu2, relu3, softmax), shape = self.saved("kept", "shape")
        grad = self.fc2.backward(functional.log_softmax_backward(grad_y, softmax))
        grad = self.fc1.backward(functional.relu_backward(self.drop.backward(grad), relu3))
        grad = functional.relu_backward(grad.reshape(shape), relu2)
        grad = self.drop_channels.backward(functional.max_pool2d_backward(grad, pooled2))
        grad = functional.relu_backward(self.conv2.backward(grad), relu1)
        return self.conv1.backward(functional.max_pool2d_backward(grad, pooled1))


class TorchNet(torch_ref.nn.Module):
    """`Net`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        nn = torch_ref.nn
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.drop_channels = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.drop = nn.Dropout()
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        functional = torch.nn.functional
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))
        x = functional.relu(functional.max_pool2d(self.drop_channels(self.conv2(x)), 2))
        x = functional.relu(self.fc1(x.view(len(x), -1)))
        return functional.log_softmax(self.fc2(self.drop(x)), dim=1)


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield images with a bright square, whose place is the class."""
    rng = np.random.default_rng(4)
    for _ in range(STEPS):
        labels = rng.integers(0, 10, 8)
        images = rng.normal(size=(8, 1, 28, 28))
        for image, label in zip(images, labels, strict=True):
            image[0, 5 * (label // 2) : 5 * (label // 2) + 6, 14 * (label % 2) :][:, :12] += 2
        yield images, labels


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = Net().double(), nn.NLLLoss()
    optimizer = scratch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = scratch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.7)
    for images, labels in batches():
        loss = criterion(model(images), labels)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
        scheduler.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = TorchNet().double(), torch_ref.nn.NLLLoss()
    optimizer = torch_ref.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch_ref.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.7)
    for images, labels in batches():
        loss = criterion(model(torch.from_numpy(images)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()
