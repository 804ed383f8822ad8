"""The distributions that `scratch.distributions` writes by hand: PyTorch's own, under the same names."""

from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

__all__ = [
    "Categorical",
    "Independent",
    "MixtureSameFamily",
    "Normal",
    "TanhTransform",
    "TransformedDistribution",
]
