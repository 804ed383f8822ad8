"""The optimizers that `scratch.optim` writes by hand: PyTorch's own, under the same names."""

from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RAdam, RMSprop, lr_scheduler

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "lr_scheduler"]
