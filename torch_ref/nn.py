"""The layers and losses that `scratch.nn` writes by hand: PyTorch's own, under the same names."""

from torch.nn import *  # noqa: F403 - whatever `scratch.nn` has, and the rest beside it
