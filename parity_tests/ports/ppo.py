"""PPO: several passes over one rollout; clipping the ratio of probabilities keeps the policy near the one that played.

    r = exp(log pi(a) - log pi_old(a))
    L = mean max(-w r, -w clip(r, 1 - e, 1 + e)) + c_v mean (v - R)^2 / 2 - c_e mean H

Where the clipped term is the larger one and r is outside the range, the row's gradient is zero: it has moved enough.

Source: Schulman et al., "Proximal Policy Optimization Algorithms", 2017; CleanRL's ppo.py.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import scratch
import torch_ref
from parity_tests.ports import STEPS

ROWS, ACTIONS, PASSES = 24, 3, 2
CLIP, VALUE_WEIGHT, ENTROPY_WEIGHT = 0.1, 0.5, 0.01


class Rollout(NamedTuple):
    """What was seen, done and got."""

    states: np.ndarray
    actions: np.ndarray
    old_log_probs: np.ndarray
    advantages: np.ndarray
    returns: np.ndarray


def network(nn: Any, outputs: int, gain: float) -> Any:
    """Return a head with CleanRL's initial values, of either engine."""
    layers = []
    for sizes, scale in (((4, 16), np.sqrt(2)), ((16, 12), np.sqrt(2)), ((12, outputs), gain)):
        linear = nn.Linear(*sizes).double()  # the initial values' decomposition rounds, too
        nn.init.orthogonal_(linear.weight, float(scale))
        nn.init.constant_(linear.bias, 0.0)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def rollouts() -> Iterator[Rollout]:
    """Yield rollouts of a made-up problem, each as often as it is used."""
    rng = np.random.default_rng(8)
    for _ in range(STEPS // PASSES):
        states, actions = rng.normal(size=(ROWS, 4)), rng.integers(0, ACTIONS, ROWS)
        returns = states[np.arange(ROWS), actions] + 0.3 * rng.normal(size=ROWS)
        advantages = (returns - returns.mean()) / (returns.std(ddof=1) + 1e-8)
        old = np.log(rng.dirichlet(np.full(ACTIONS, 40.0), ROWS)[np.arange(ROWS), actions])
        yield from [Rollout(states, actions, old, advantages, returns)] * PASSES


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    nn = scratch.nn
    critic, actor = network(nn, 1, 1.0), network(nn, ACTIONS, 0.01)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = scratch.optim.Adam(parameters, lr=2e-2, eps=1e-5)
    scheduler = scratch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, STEPS)
    for states, actions, old, advantages, returns in rollouts():
        policy, values = scratch.distributions.Categorical(logits=actor(states)), critic(states)[:, 0]
        ratio = np.exp(policy.log_prob(actions) - old)
        clipped = np.clip(ratio, 1 - CLIP, 1 + CLIP)
        terms = -advantages * ratio, -advantages * clipped
        entropy = policy.entropy()
        value_loss = 0.5 * np.mean((values - returns) ** 2)
        loss = np.mean(np.maximum(*terms)) + VALUE_WEIGHT * value_loss - ENTROPY_WEIGHT * np.mean(entropy)

        optimizer.zero_grad()
        unclipped = (terms[0] > terms[1]) | (ratio == clipped)
        grad_ratio = np.where(unclipped, -advantages, 0.0) / ROWS
        grad_logits = policy.log_prob_backward(grad_ratio * ratio)
        grad_logits += policy.entropy_backward(np.full(ROWS, -ENTROPY_WEIGHT / ROWS))
        actor.backward(grad_logits)
        critic.backward(VALUE_WEIGHT * (values - returns)[:, None] / ROWS)
        nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        scheduler.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    nn = torch_ref.nn
    critic, actor = network(nn, 1, 1.0), network(nn, ACTIONS, 0.01)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch_ref.optim.Adam(parameters, lr=2e-2, eps=1e-5)
    scheduler = torch_ref.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, STEPS)
    for rollout in rollouts():
        states, actions, old, advantages, returns = map(torch.from_numpy, rollout)
        policy, values = torch_ref.distributions.Categorical(logits=actor(states)), critic(states)[:, 0]
        ratio = torch.exp(policy.log_prob(actions) - old)
        terms = -advantages * ratio, -advantages * torch.clamp(ratio, 1 - CLIP, 1 + CLIP)
        value_loss = 0.5 * ((values - returns) ** 2).mean()
        loss = torch.max(*terms).mean() + VALUE_WEIGHT * value_loss - ENTROPY_WEIGHT * policy.entropy().mean()

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()
        scheduler.step()
        yield loss.item()
