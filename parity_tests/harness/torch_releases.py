"""Where the releases of PyTorch since 2.6 differ in what the tests compare, asked of the one that is installed.

The layers follow the newest. Under an older one a test leaves out what that one does otherwise or cannot do, and
compares all the rest.
"""

import inspect

import torch


def _slope_at_the_bound() -> float:
    x = torch.zeros(1, requires_grad=True)
    torch.clamp_min(x, 0).sum().backward()
    return x.grad.item()


# Hinge, ranking, triplet and cosine losses clamp what is missing to the margin. Before 2.14 the slope at the kink is 1.
NO_SLOPE_AT_THE_MARGIN = _slope_at_the_bound() == 0

# Of batch, group and instance normalization, which got the option in one release; LayerNorm has had it for longer.
NORMALIZATION_HAS_BIAS = "bias" in inspect.signature(torch.nn.BatchNorm1d).parameters
