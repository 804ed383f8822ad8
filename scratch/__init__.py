"""Deep learning by hand: every layer's forward and backward pass in NumPy, under PyTorch's names."""

from scratch import models, nn, optim, random, train
from scratch.random import manual_seed

__all__ = ["manual_seed", "models", "nn", "optim", "random", "train"]
