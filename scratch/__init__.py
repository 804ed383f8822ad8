"""Deep learning by hand: every layer's forward and backward pass in NumPy, with PyTorch's names."""

from scratch import distributions, models, nn, optim, random, train
from scratch.dispatch import plain
from scratch.grad_mode import no_grad, retain_graph
from scratch.random import manual_seed

__all__ = [
    "distributions",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "optim",
    "plain",
    "random",
    "retain_graph",
    "train",
]
