"""Cells of the lesson on convolution."""

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import scratch
import torch_ref
from benchmarks import tasks
from scratch import models, nn, optim, train
from torch_ref import models as torch_models
from torch_ref import train as torch_train

# %% [markdown]
# MNIST if its files are in `data`, or in the folder that the environment variable `BACKPROP_DATA` names; otherwise the
# digits that come with scikit-learn.

# %%
title, data = tasks.mnist_or_digits(Path(os.environ.get("BACKPROP_DATA", "data")))
rows, tests = slice(4000), slice(500)
sets = (data.x_train[rows], data.y_train[rows]), (data.x_test[tests], data.y_test[tests])
tensors = [tuple(torch.from_numpy(array) for array in one) for one in sets]
print(title, sets[0][0].shape)

# %% [markdown]
# The SmallCNN in both engines, from one seed.

# %%
options = {"epochs": 3, "batch_size": 64}
scratch.manual_seed(0)
model = models.SmallCNN(pdrop=0.0)
history = train.fit(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-3), *sets, **options)
torch_ref.manual_seed(0)
twin = torch_models.SmallCNN(pdrop=0.0)
optimizer = torch.optim.Adam(twin.parameters(), lr=1e-3)
twin_history = torch_train.fit(twin, torch.nn.CrossEntropyLoss(), optimizer, *tensors, **options)
for name, found in {"scratch": history, "torch": twin_history}.items():
    print(f"{name}: test accuracy {found.test_accuracy[-1]:.4f} after {sum(found.seconds):.1f} seconds")

# %% [markdown]
# What eight filters of the first convolution see, after their ReLU.

# %%
image = data.x_test[:1]
maps = train.predict(model.feat[:2], image)[0], torch_train.predict(twin.feat[:2], torch.from_numpy(image)).numpy()[0]
chosen = np.argsort(-maps[0].std(axis=(1, 2)))[:8]
figure, axes = plt.subplots(2, 9, figsize=(13, 3.2))
for row, name, found in zip(axes, ("scratch", "torch"), maps, strict=True):
    row[0].imshow(image[0, 0], cmap="gray_r")
    row[0].set_ylabel(name)
    for panel, channel in zip(row[1:], chosen, strict=True):
        panel.imshow(found[channel], cmap="magma")
for panel in axes.flat:
    panel.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# Weight sharing, and what max and average pooling return and send back.

# %%
conv = nn.Conv2d(1, 32, 3, padding=1)
print("conv1:", sum(parameter.data.size for parameter in conv.parameters()), "parameters")
print("a dense layer from 28 x 28 to 32 x 28 x 28:", (28 * 28 + 1) * 32 * 28 * 28)
window = np.array([[[[1, 3], [2, 2]]]], np.float32)
for pooling in (nn.MaxPool2d(2), nn.AvgPool2d(2)):
    print(pooling, pooling(window).item(), pooling.backward(np.ones((1, 1, 1, 1), np.float32)).tolist())
