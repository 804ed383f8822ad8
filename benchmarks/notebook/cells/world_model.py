"""Cells of the lesson on world models."""

# %%
import numpy as np
import torch

import scratch
import torch_ref.world_model
from scratch import world_model

# %% [markdown]
# A mixture of Gaussians learns a jump that goes one way or the other; its mean alone would say that nothing moves.

# %%
rng = np.random.default_rng(0)
scratch.manual_seed(0)
model, criterion = world_model.Dynamics(1, 2, hidden=16, mixture=2), world_model.DynamicsLoss()
optimizer = scratch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(300):
    actions = np.eye(2, dtype=np.float32)[rng.integers(0, 2, (16, 6))]
    jumps = (rng.choice([-1, 1], (16, 6, 1)) * (1 + actions[..., 1:])).astype(np.float32)
    z = np.concatenate([np.zeros((16, 1, 1), np.float32), jumps.cumsum(axis=1)[:, :-1]], axis=1)
    loss = criterion(*model(z, actions), jumps, np.ones((16, 6), np.float32))
    optimizer.zero_grad()
    model.backward(*criterion.backward())
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: {loss:.3f}")
_, mean, scale, _ = model(z[:1], actions[:1])
print("action", actions[0].argmax(axis=1), "means", mean[0, :, 0].round(1).tolist())

# %% [markdown]
# PyTorch's twin with the same weights has the same loss.

# %%
twin = torch_ref.world_model.Dynamics(1, 2, hidden=16, mixture=2)
twin.load_state_dict({name: torch.from_numpy(values) for name, values in model.state_dict().items()})
arrays = (torch.from_numpy(array) for array in (z, actions))
targets = torch.from_numpy(jumps), torch.ones(16, 6)
print(criterion(*model(z, actions), jumps, np.ones((16, 6), np.float32)))
print(torch_ref.world_model.DynamicsLoss()(*twin(*arrays), *targets).item())
