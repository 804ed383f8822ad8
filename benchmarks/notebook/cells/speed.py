"""Cells of the lesson on speed."""

# %% [markdown]
# The second rung: im2col, and one matrix product. `backprop lesson speed` climbs the others, and times them in turn.

# %%
from functools import partial
from timeit import repeat

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.lessons.ladder import RUNGS

rng = np.random.default_rng(0)
x = rng.normal(size=(128, 32, 14, 14)).astype(np.float32)
weight = (rng.normal(size=(64, 32, 3, 3)) / 17).astype(np.float32)

padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = sliding_window_view(padded, (3, 3), axis=(2, 3))  # (128, 32, 14, 14, 3, 3), a view
patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(128 * 14 * 14, 32 * 9)
product = patches @ weight.reshape(64, 32 * 9).T
y = product.reshape(128, 14, 14, 64).transpose(0, 3, 1, 2)

of_torch = partial(torch.nn.functional.conv2d, torch.from_numpy(x), torch.from_numpy(weight), padding=1)
expected = of_torch().numpy()
print("largest difference from PyTorch:", np.abs(y - expected).max())

# %% [markdown]
# All the rungs, the best of three tries each. The loops do one image and one of 64 kernels; their time is scaled up.

# %%
for name, rung in RUNGS.items():
    images, kernels = (x[:1], weight[:1]) if name == "loops" else (x, weight)
    seconds = min(repeat(partial(rung, images, kernels), number=1, repeat=3))
    counted_up = seconds * len(x) * len(weight) / (len(images) * len(kernels))
    error = np.abs(rung(images, kernels) - expected[: len(images), : len(kernels)]).max()
    print(f"{name:12} {1e3 * counted_up:12,.1f} ms, largest difference {error:.1e}")
print(f"{'torch':12} {1e3 * min(repeat(of_torch, number=1, repeat=3)):12,.1f} ms")
