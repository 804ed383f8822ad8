"""Cells of the lesson on one neuron."""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import scratch.nn
import scratch.optim

x = np.array([[-1.0], [0.0], [1.0], [2.0]], np.float32)
t = 2 * x + 1

# %% [markdown]
# The engine by hand. Where PyTorch says `loss.backward()`, here the loss's gradient is passed to the model.

# %%
neuron = scratch.nn.Linear(1, 1)
neuron.load_state_dict({"weight": np.zeros((1, 1), np.float32), "bias": np.zeros(1, np.float32)})
criterion, optimizer = scratch.nn.MSELoss(), scratch.optim.SGD(neuron.parameters(), lr=0.1)
for _ in range(3):
    loss = criterion(neuron(x), t)
    optimizer.zero_grad()
    neuron.backward(criterion.backward())
    grads = neuron.weight.grad.item(), neuron.bias.grad.item()
    optimizer.step()
    print(f"loss {loss:.4f}   dL/dw {grads[0]:.4f}   dL/db {grads[1]:.4f}", end="   ")
    print(f"w {neuron.weight.data.item():.4f}   b {neuron.bias.data.item():.4f}")

# %% [markdown]
# The same three steps in PyTorch.

# %%
twin = torch.nn.Linear(1, 1)
torch.nn.init.zeros_(twin.weight)
torch.nn.init.zeros_(twin.bias)
criterion, optimizer = torch.nn.MSELoss(), torch.optim.SGD(twin.parameters(), lr=0.1)
for _ in range(3):
    loss = criterion(twin(torch.from_numpy(x)), torch.from_numpy(t))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss:.4f}   w {twin.weight.item():.4f}   b {twin.bias.item():.4f}")

# %% [markdown]
# The loss against the step, for learning rates below and above the largest one, 0.553.


# %%
def losses(lr, steps=40):
    """Return the loss before each step of gradient descent."""
    model, criterion = scratch.nn.Linear(1, 1), scratch.nn.MSELoss()
    model.load_state_dict({"weight": np.zeros((1, 1), np.float32), "bias": np.zeros(1, np.float32)})
    optimizer, found = scratch.optim.SGD(model.parameters(), lr=lr), []
    for _ in range(steps):
        found.append(float(criterion(model(x), t)))
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()
    return found


for lr in (0.02, 0.1, 0.4, 0.54, 0.57):
    plt.semilogy(losses(lr), label=f"lr {lr}")
plt.xlabel("step")
plt.ylabel("loss")
plt.legend()
plt.show()
