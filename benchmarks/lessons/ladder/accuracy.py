"""Does a rung have PyTorch's result? `parity_tests` compares them, as it does for a layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.lessons.ladder import Convolve
from benchmarks.lessons.ladder.backward import grad_weight, grad_x_by_convolution
from parity_tests.harness.compare import check
from parity_tests.harness.report import Report
from scratch.nn import Module, Parameter


class AsLayer(Module):
    """A rung as a layer: its ``convolve`` computes forward, and also the gradient of the input."""

    def __init__(self, convolve: Convolve, weight: np.ndarray) -> None:
        super().__init__()
        self.convolve, self.weight = convolve, Parameter(weight)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the convolution of ``x``."""
        self.save_for_backward(x=x)
        return self.convolve(x, self.weight.data)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return dX, and add dW."""
        grad = grad_weight(self.saved("x"), grad_output)
        self.weight.grad = grad if self.weight.grad is None else self.weight.grad + grad
        return grad_x_by_convolution(self.weight.data, grad_output, self.convolve)


def compare(convolve: Convolve, x: np.ndarray, weight: np.ndarray) -> Report:
    """Return the report of a comparison with ``torch.nn.Conv2d``, by the suite's rounding budget."""
    import torch

    layer = torch.nn.Conv2d(weight.shape[1], len(weight), 3, padding=1, bias=False)
    return check(AsLayer(convolve, weight), layer, x)


class Error(NamedTuple):
    """The largest error of y, and the largest share of its budget that an error of y or dX uses."""

    largest: float
    share: float


def error(convolve: Convolve, x: np.ndarray, weight: np.ndarray) -> Error:
    """Return how far a way to convolve is from the exact result."""
    report = compare(convolve, x, weight)
    share = max(float(np.max(report[name].max_abs / report[name].allowed)) for name in ("output", "grad_input"))
    return Error(float(report["output"].max_abs), share)
