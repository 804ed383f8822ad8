"""The distributions that `scratch.distributions` writes by hand: PyTorch's own, under the same names."""

from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TanhTransform,
    TransformedDistribution,
    kl_divergence,
)

__all__ = [
    "Bernoulli",
    "Categorical",
    "Independent",
    "MixtureSameFamily",
    "Normal",
    "TanhTransform",
    "TransformedDistribution",
    "kl_divergence",
]
