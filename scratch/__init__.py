"""Deep learning by hand: every layer's forward and backward pass in NumPy, under PyTorch's names."""

from scratch import nn, optim
from scratch.random import manual_seed

__all__ = ["manual_seed", "nn", "optim"]
