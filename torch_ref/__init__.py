"""The same networks on ``torch.nn`` and autograd: what `scratch` is compared with, and what you would train with."""

from torch import enable_grad, inference_mode, no_grad, set_grad_enabled

from torch_ref import distributions, models, nn, optim, random, train
from torch_ref.random import manual_seed

__all__ = [
    "distributions",
    "enable_grad",
    "inference_mode",
    "manual_seed",
    "models",
    "nn",
    "no_grad",
    "optim",
    "random",
    "set_grad_enabled",
    "train",
]
