"""Distributions for reinforcement learning and world models, mirroring ``torch.distributions``.

A topic a file: its derivation, plain functions, and the class around them. The gradients of log-probability, entropy
and the reparameterised sample are written by hand.
"""

from scratch.distributions.categorical import Categorical
from scratch.distributions.mixture import MixtureSameFamily
from scratch.distributions.normal import Independent, Normal
from scratch.distributions.tanh_normal import TanhTransform, TransformedDistribution

__all__ = [
    "Categorical",
    "Independent",
    "MixtureSameFamily",
    "Normal",
    "TanhTransform",
    "TransformedDistribution",
]
