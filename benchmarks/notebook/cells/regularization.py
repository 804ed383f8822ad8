"""Cells of the lesson on regularization."""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import make_moons

import scratch
import torch_ref
from scratch import models, nn, optim, train
from torch_ref import models as torch_models
from torch_ref import train as torch_train

# %% [markdown]
# Four networks on 64 points, each from the same seed, in both engines.

# %%
x, y = make_moons(564, noise=0.25, random_state=0)
x = x.astype(np.float32)
sets = (x[:64], y[:64]), (x[64:], y[64:])
tensors = [tuple(torch.from_numpy(array) for array in one) for one in sets]
options = {"epochs": 150, "batch_size": 64}
figure, axes = plt.subplots(figsize=(8, 4))
for colour, (name, build, decay) in enumerate(
    [
        ("plain", {}, 0.0),
        ("dropout 0.2", {"pdrop": 0.2}, 0.0),
        ("decay 1", {}, 1.0),
        ("batch norm", {"use_bn": True}, 0.0),
    ]
):
    scratch.manual_seed(0)
    model = models.MLP(**build)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=decay)
    history = train.fit(model, nn.CrossEntropyLoss(), optimizer, *sets, **options)
    torch_ref.manual_seed(0)
    twin = torch_models.MLP(**build)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=3e-3, weight_decay=decay)
    twin_history = torch_train.fit(twin, torch.nn.CrossEntropyLoss(), optimizer, *tensors, **options)
    axes.plot(history.test_loss, color=f"C{colour}", alpha=0.4, linewidth=4, label=name)
    axes.plot(twin_history.test_loss, "--", color=f"C{colour}", linewidth=1)
axes.set(title="Test loss: scratch wide, torch dashed", xlabel="epoch", ylim=(0.1, 1.0))
axes.legend()
plt.show()

# %% [markdown]
# Dropout's masks: half of the units are 0, the others twice as large, so that the mean stays the same.

# %%
scratch.manual_seed(0)
dropout = nn.Dropout(0.5)
ones = np.ones((4, 8), np.float32)
print(dropout(ones))
print("mean over many:", dropout(np.ones((1000, 100), np.float32)).mean())
print("in evaluation:", dropout.eval()(ones).mean())
