"""Cells of the lesson on pixels; random frames stand for a game's."""

# %%
import numpy as np
import torch

import scratch
from scratch import models
from torch_ref import models as torch_models

# %% [markdown]
# Two heads on one encoder, with the same weights in both engines.

# %%
scratch.manual_seed(0)
model = models.ActorCritic(models.NatureEncoder(), 512, 6)
twin = torch_models.ActorCritic(torch_models.NatureEncoder(), 512, 6)
twin.load_state_dict({name: torch.from_numpy(values) for name, values in model.state_dict().items()})
rng = np.random.default_rng(0)
frames = rng.random((3, 4, 84, 84)).astype(np.float32)
with scratch.no_grad():
    logits, _ = model(frames)
twin_logits, twin_values = twin(torch.from_numpy(frames))
print("parameters:", sum(parameter.data.size for parameter in model.parameters()))
print("logits differ by", np.abs(logits - twin_logits.detach().numpy()).max())

# %% [markdown]
# The gradient that the encoder receives is the sum of what both heads send.

# %%
grad_logits, grad_values = rng.normal(size=(3, 6)).astype(np.float32), rng.normal(size=3).astype(np.float32)
reached = {}
for name, sent in {
    "policy": (grad_logits, 0 * grad_values),
    "value": (0 * grad_logits, grad_values),
    "both": (grad_logits, grad_values),
}.items():
    model.zero_grad()
    model(frames)
    model.backward(*sent)
    reached[name] = model.backbone.conv[0].weight.grad.copy()
print("largest |policy + value - both|:", np.abs(reached["policy"] + reached["value"] - reached["both"]).max())
torch.autograd.backward((twin_logits, twin_values), (torch.from_numpy(grad_logits), torch.from_numpy(grad_values)))
print("largest |both - PyTorch|:       ", np.abs(reached["both"] - twin.backbone.conv[0].weight.grad.numpy()).max())
