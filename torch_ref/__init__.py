"""The same networks on ``torch.nn`` and autograd: what `scratch` is compared with, and what you would train with."""

from torch import no_grad

from torch_ref import distributions, models, nn, optim, random, train
from torch_ref.random import manual_seed

__all__ = ["distributions", "manual_seed", "models", "nn", "no_grad", "optim", "random", "train"]
