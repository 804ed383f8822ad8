"""Deep learning by hand: every layer's forward and backward pass in NumPy, with PyTorch's names."""

from scratch import distributions, models, nn, optim, random, train
from scratch.dispatch import plain
from scratch.grad_mode import enable_grad, inference_mode, no_grad, retain_graph, set_grad_enabled
from scratch.random import manual_seed

__all__ = [
    "distributions",
    "enable_grad",
    "inference_mode",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "optim",
    "plain",
    "random",
    "retain_graph",
    "set_grad_enabled",
    "train",
]
