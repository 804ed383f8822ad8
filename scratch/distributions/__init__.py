"""Distributions for reinforcement learning and world models, mirroring ``torch.distributions``.

A topic a file: its derivation, plain functions, and the class around them. The gradients of log-probability, entropy,
the reparameterised sample and the Kullback-Leibler divergence are written by hand.
"""

from scratch.distributions.bernoulli import Bernoulli
from scratch.distributions.categorical import Categorical
from scratch.distributions.kl import kl_divergence, kl_divergence_backward
from scratch.distributions.mixture import MixtureSameFamily
from scratch.distributions.normal import Independent, Normal
from scratch.distributions.tanh_normal import TanhTransform, TransformedDistribution

__all__ = [
    "Bernoulli",
    "Categorical",
    "Independent",
    "MixtureSameFamily",
    "Normal",
    "TanhTransform",
    "TransformedDistribution",
    "kl_divergence",
    "kl_divergence_backward",
]
