"""Cells of the lesson on sequences."""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import scratch
from scratch import nn

# %% [markdown]
# The gradient that reaches each step of a sequence from the last output, in an RNN and in an LSTM.

# %%
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 1, 4)).astype(np.float32)
for name in ("RNN", "LSTM"):
    scratch.manual_seed(0)
    layer = getattr(nn, name)(4, 32)
    y, _ = layer(x)
    grad_y = np.zeros_like(y)
    grad_y[-1] = rng.normal(size=y.shape[1:])
    grad_x = layer.backward(grad_y)
    grad_x = grad_x[0] if isinstance(grad_x, tuple) else grad_x
    plt.semilogy(np.linalg.norm(grad_x[:, 0], axis=1), label=name)
plt.xlabel("step")
plt.ylabel("norm of the gradient")
plt.legend()
plt.show()

# %% [markdown]
# PyTorch's LSTM with the same weights returns the same.

# %%
twin = torch.nn.LSTM(4, 32)
twin.load_state_dict({key: torch.from_numpy(values) for key, values in layer.state_dict().items()})
print("largest difference:", np.abs(y - twin(torch.from_numpy(x))[0].detach().numpy()).max())
