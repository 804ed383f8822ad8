"""Cells of the lesson on the multilayer perceptron."""

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
# Exclusive or: one layer, then two layers of eight ReLU units.

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
labels = np.array([0, 1, 1, 0])
for name, build in {
    "one layer": lambda: nn.Sequential(nn.Linear(2, 2)),
    "two layers": lambda: nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)),
}.items():
    scratch.manual_seed(0)
    model, criterion = build(), nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(200):
        loss, correct = train.take_step(model, criterion, optimizer, corners, labels)
    print(f"{name}: loss {loss:.4f}, {correct} of 4 corners right; log 2 = {np.log(2):.4f}")

# %% [markdown]
# One whole training step: two rows, two layers, all gradients at the old weights, then the update.

# %%
model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
state = {"0.weight": [[1, 0], [-1, 1]], "0.bias": [0, 0], "2.weight": [[0.5, -0.5], [0, 0]], "2.bias": [0, 0]}
model.load_state_dict({name: np.array(values, np.float32) for name, values in state.items()})
x, y = np.array([[1, 2], [2, 1]], np.float32), np.array([1, 0])
criterion = nn.CrossEntropyLoss()
a = model[0](x)
h = model[1](a)
z = model[2](h)
print("loss before", criterion(z, y))
grad_z = criterion.backward()
grad_h = model[2].backward(grad_z)
grad_a = model[1].backward(grad_h)
model[0].backward(grad_a)
for name, values in {"a": a, "h": h, "z": z, "dL/dz": grad_z, "dL/dh": grad_h, "dL/da": grad_a}.items():
    print(name, np.array2string(values, precision=4, suppress_small=True).replace("\n", ""))
for name, parameter in model.named_parameters():
    print(f"dL/d({name})", np.array2string(parameter.grad, precision=4).replace("\n", ""))
optim.SGD(model.parameters(), lr=1.0).step()
print("loss after", criterion(model(x), y))

# %% [markdown]
# Two moons in both engines, from one seed.

# %%
x, y = make_moons(2000, noise=0.25, random_state=0)
x = x.astype(np.float32)
x_train, y_train, x_test, y_test = x[:1500], y[:1500], x[1500:], y[1500:]
scratch.manual_seed(0)
model = models.MLP()
history = train.fit(
    model,
    nn.CrossEntropyLoss(),
    optim.Adam(model.parameters(), lr=3e-3),
    (x_train, y_train),
    (x_test, y_test),
    epochs=20,
    batch_size=64,
)
torch_ref.manual_seed(0)
twin = torch_models.MLP()
tensors = [torch.from_numpy(array) for array in (x_train, y_train, x_test, y_test)]
twin_history = torch_train.fit(
    twin,
    torch.nn.CrossEntropyLoss(),
    torch.optim.Adam(twin.parameters(), lr=3e-3),
    tensors[:2],
    tensors[2:],
    epochs=20,
    batch_size=64,
)
print(f"test accuracy: scratch {history.test_accuracy[-1]:.4f}, torch {twin_history.test_accuracy[-1]:.4f}")

# %%
across, up = np.meshgrid(np.linspace(-2, 3, 150), np.linspace(-1.5, 2, 120))
grid = np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)
logits = train.predict(model, grid), torch_train.predict(twin, torch.from_numpy(grid)).numpy()
figure, axes = plt.subplots(1, 3, figsize=(13, 3.6))
for name, found in {"scratch": history, "torch": twin_history}.items():
    axes[0].plot(found.train_loss, "--", label=f"{name}, training")
    axes[0].plot(found.test_loss, label=f"{name}, test")
axes[0].set(title="Loss", xlabel="epoch")
axes[0].legend()
for panel, name, of_class in zip(axes[1:], ("scratch", "torch"), logits, strict=True):
    panel.contourf(
        across, up, (of_class[:, 1] - of_class[:, 0]).reshape(across.shape), levels=[-1e9, 0, 1e9], alpha=0.3
    )
    panel.scatter(*x_test.T, c=y_test, s=5)
    panel.set_title(name)
plt.show()
