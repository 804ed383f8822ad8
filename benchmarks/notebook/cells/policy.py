"""Cells of the lesson on a policy and a critic; they need no environment."""

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import scratch
from scratch import models, nn, optim
from scratch.policy_gradient import PolicyGradientLoss
from torch_ref import policy_gradient as torch_policy_gradient

# %% [markdown]
# With a weight of 1 the policy's loss is the classifier's; a negative weight pushes away.

# %%
logits, action = np.array([[1.0, 0.0, -1.0]]), np.array([0])
criterion = nn.CrossEntropyLoss()
print("classifier", criterion(logits, action), criterion.backward())
for advantage in (1.0, 2.5, -1.0):
    criterion = PolicyGradientLoss()
    loss = criterion(logits, action, np.array([advantage]))
    tensor = torch.from_numpy(logits).requires_grad_()
    twin = torch_policy_gradient.PolicyGradientLoss()(tensor, torch.from_numpy(action), torch.tensor([advantage]))
    twin.backward()
    print(f"w = {advantage}:", loss, criterion.backward(), "PyTorch:", tensor.grad.numpy())

# %% [markdown]
# A policy that learns XOR from rewards alone: it draws an answer, and is told whether it was right, not what is right.

# %%
scratch.manual_seed(0)
rng = np.random.default_rng(0)
policy, criterion = models.MLP(hid=16), PolicyGradientLoss()
optimizer, rewards = optim.Adam(policy.parameters(), lr=0.01), []
for _ in range(300):
    states = rng.integers(0, 2, size=(32, 2))
    logits = policy(states.astype(np.float32))
    probability_of_1 = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    actions = (rng.random(32) < probability_of_1).astype(np.int64)
    reward = (actions == states[:, 0] ^ states[:, 1]).astype(np.float32)
    criterion(logits, actions, reward - np.float32(0.5))  # 0.5 is what guessing brings: a constant critic
    optimizer.zero_grad()
    policy.backward(criterion.backward())
    optimizer.step()
    rewards.append(reward.mean())
plt.plot(np.convolve(rewards, np.full(10, 0.1), mode="valid"))
plt.xlabel("update")
plt.ylabel("mean reward")
plt.show()
print("mean reward of the last 20 updates:", np.mean(rewards[-20:]))
