"""The optimizers that `scratch.optim` writes by hand: PyTorch's own, under the same names."""

from torch.optim import SGD, Adam, AdamW

__all__ = ["SGD", "Adam", "AdamW"]
