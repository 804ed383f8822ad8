"""Cells of the lesson on activations."""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import scratch
from scratch import nn

# %% [markdown]
# An upstream gradient of ones makes backward return the slope: values and slopes, from each layer's own two passes.

# %%
x = np.linspace(-6, 6, 241, dtype=np.float32)
names = ("Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Softplus")
figure, axes = plt.subplots(2, 4, figsize=(13, 5), sharex=True)
for panel, name in zip(axes.flat, names, strict=True):
    layer = getattr(nn, name)()
    y = layer(x)
    slope = layer.backward(np.ones_like(x))
    tensor = torch.from_numpy(x).requires_grad_()
    getattr(torch.nn, name)()(tensor).sum().backward()
    panel.plot(x, y, label="f(x)")
    panel.plot(x, slope, label="f'(x), scratch")
    panel.plot(x, tensor.grad, "--", label="f'(x), torch")
    panel.set(title=name, ylim=(-1.3, 2.3))
axes[0, 0].legend(fontsize=8)
plt.show()

# %% [markdown]
# The gradient on its way back through twenty layers, each initialized for its activation.

# %%
for name in ("Sigmoid", "Tanh", "ReLU"):
    scratch.manual_seed(0)
    layers = []
    for _ in range(20):
        linear = nn.Linear(64, 64)
        nn.init.xavier_uniform_(linear.weight, gain=nn.init.calculate_gain(name.lower()))
        layers += [linear, getattr(nn, name)()]
    model = nn.Sequential(*layers)
    rng = np.random.default_rng(0)
    model.backward(rng.normal(size=model(rng.normal(size=(128, 64)).astype(np.float32)).shape).astype(np.float32))
    norms = [float(np.linalg.norm(layer.weight.grad)) for layer in layers[::2]]
    plt.semilogy(range(1, 21), norms, "o-", label=name)
plt.xlabel("layer, 1 is next to the input")
plt.ylabel("norm of the weights' gradient")
plt.legend()
plt.show()
