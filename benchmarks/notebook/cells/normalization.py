"""Cells of the lesson on normalization."""

# %%
import numpy as np
import torch

from scratch import nn

# %% [markdown]
# Which numbers share a mean? Send back 1 at one output, and see where the input gradient is not 0.

# %%
shape = (4, 6, 2, 3)
x = np.random.default_rng(0).normal(size=shape)
one_hot = np.zeros(shape)
one_hot[0, 5, 0, 2] = 1
for name, options in {"BatchNorm2d": (6,), "LayerNorm": (shape[1:],), "GroupNorm": (3, 6)}.items():
    layer = getattr(nn, name)(*options, dtype=np.float64)
    layer(x)
    reached = layer.backward(one_hot) != 0
    tensor = torch.from_numpy(x).requires_grad_()
    getattr(torch.nn, name)(*options, dtype=torch.float64)(tensor).backward(torch.from_numpy(one_hot))
    samples, channels = reached.any(axis=(1, 2, 3)).sum(), reached.any(axis=(0, 2, 3)).sum()
    print(f"{name}: {reached.sum()} numbers in {samples} samples and {channels} channels", end="; ")
    print("PyTorch agrees:", bool((reached == (tensor.grad != 0).numpy()).all()))

# %% [markdown]
# Training and evaluation are two functions: one uses the batch's statistics, the other the running ones.

# %%
layer = nn.BatchNorm1d(1, dtype=np.float64)
batches = np.random.default_rng(0).normal(3.0, 2.0, size=(60, 32, 1))
for batch in batches:
    layer(batch)
print("running mean and variance:", layer.running_mean, layer.running_var, "of a mean of 3 and a variance of 4")
print("a batch's mean after the layer, in training:  ", layer(batches[0]).mean().round(6))
print("a batch's mean after the layer, in evaluation:", layer.eval()(batches[0]).mean().round(6))
