"""The cases of the activations beyond the classic ones."""

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.catalogue.layers import activation, both
from parity_tests.harness import arrays

activation("Hardtanh", min_val=(-2.0, -1.0, 0.0, 0.25), max_val=(0.75, 1.0, 2.0))
activation("ReLU6")
activation("Mish")
activation("SELU")
activation("CELU", alpha=(0.25, 2.5, -0.75))  # PyTorch's backward rounds it to float32: so numbers that are
activation("LogSigmoid")
activation("Softsign")
activation("Hardswish")


class TorchHardsigmoid(torch.nn.Module):
    """Its definition, as PyTorch's own layer rounds the slope to float32, in float64, too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ReLU6(x + 3) / 6."""
        return torch.nn.functional.relu6(x + 3) / 6


@entry("Hardsigmoid", "layer")
def hardsigmoid(d: Draw) -> LayerCase:
    """Any shape; the bounds, where the kinks are, among the numbers."""
    x = d.array((*d.leading(), 3), d.one_of(arrays.array, arrays.tied), d.one_of(1, 3))
    return LayerCase(both(d, "Hardsigmoid")[0], TorchHardsigmoid(), (x,))


@entry("PReLU", "layer")
def prelu(d: Draw) -> LayerCase:
    """One slope for inputs of any shape, or one a channel; zeros, where the kink is, among the numbers."""
    channels = d.integer(1, 4)
    shape = d.one_of((*d.leading(), channels), (d.batch(0, 1, 3), channels, *d.integers(1, 3, d.integer(0, 2))))
    slopes = channels if len(shape) > 1 and shape[1] == channels else 1
    layer, reference = both(d, "PReLU", d.one_of(1, slopes), **d.some_of(init=(0.1, -0.5)))
    return LayerCase(layer, reference, (np.asarray(d.array(shape, d.one_of(arrays.array, arrays.tied))),))


@entry("Softmin", "layer")
def softmin(d: Draw) -> LayerCase:
    """Along any axis, on scores of about 1, 3 and 10,000."""
    shape = (*d.leading(), d.integer(1, 5))
    dim = d.integer(-len(shape), len(shape) - 1)
    return LayerCase(*both(d, "Softmin", dim), (d.array(shape, factor=d.one_of(1, 3, 1e4)),))
