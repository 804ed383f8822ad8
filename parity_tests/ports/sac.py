"""SAC: an actor that samples tanh-squashed Gaussian actions, and two critics through which its gradient goes.

    critics   L = mean (Q1 - y)^2 + mean (Q2 - y)^2,     y = r + gamma (min Q'(s', a') - alpha log pi(a'))
    actor     L = mean (alpha log pi(a) - min Q(s, a)),  a = tanh(mu + sigma eps): a path from Q to mu and sigma
    alpha     L = mean -alpha (log pi(a) + H_target)

A critic reads the concatenation [s, a], so its input gradient is cut at the same place.

Source: Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018; CleanRL's sac_continuous_action.py.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

STATE, ACTION, HIDDEN, BATCH = 3, 2, 16, 12
GAMMA, TAU, LOWEST, HIGHEST = 0.98, 0.05, -5.0, 2.0


def parts(nn: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return the actor's features and two heads, and two critics, of either engine."""
    features = nn.Sequential(nn.Linear(STATE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
    heads = nn.Linear(HIDDEN, ACTION), nn.Linear(HIDDEN, ACTION)
    critics = [nn.Sequential(nn.Linear(STATE + ACTION, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)) for _ in range(2)]
    return features.double(), *(head.double() for head in heads), *(critic.double() for critic in critics)


class Actor(scratch.nn.Module):
    """A policy: draws an action, and says how probable it was."""

    def __init__(self, features: Any, mean: Any, spread: Any) -> None:
        super().__init__()
        self.features, self.mean, self.spread = features, mean, spread

    def forward(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = self.features(states)
        bent = np.tanh(self.spread(features))
        scale = np.exp(LOWEST + 0.5 * (HIGHEST - LOWEST) * (bent + 1))
        normal = scratch.distributions.Normal(self.mean(features), scale)
        policy = scratch.distributions.TransformedDistribution(normal, scratch.distributions.TanhTransform())
        self.save_for_backward(bent=bent, scale=scale, policy=policy)
        actions, log_probs = policy.rsample_with_log_prob()
        return actions, log_probs.sum(axis=1)

    def backward(self, grad_actions: np.ndarray, grad_log_probs: np.ndarray) -> np.ndarray:
        bent, scale, policy = self.saved("bent", "scale", "policy")
        spread_out = np.broadcast_to(grad_log_probs[:, None], grad_actions.shape)  # a sum becomes a broadcast
        grad_mean, grad_scale = policy.rsample_with_log_prob_backward(grad_actions, spread_out.copy())
        grad_bent = grad_scale * scale * 0.5 * (HIGHEST - LOWEST)
        grad_features = self.mean.backward(grad_mean)
        grad_features += self.spread.backward(grad_bent * (1 - bent**2))
        return self.features.backward(grad_features)


class TorchActor(torch_ref.nn.Module):
    """`Actor`, for autograd."""

    def __init__(self, features: Any, mean: Any, spread: Any) -> None:
        super().__init__()
        self.features, self.mean, self.spread = features, mean, spread

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(states)
        bent = torch.tanh(self.spread(features))
        scale = torch.exp(LOWEST + 0.5 * (HIGHEST - LOWEST) * (bent + 1))
        normal = torch_ref.distributions.Normal(self.mean(features), scale)
        squash = torch_ref.distributions.TanhTransform(cache_size=1)
        policy = torch_ref.distributions.TransformedDistribution(normal, squash)
        actions = policy.rsample()
        return actions, policy.log_prob(actions).sum(dim=1)


def batches() -> Iterator[tuple[np.ndarray, ...]]:
    """Yield states, actions, rewards and next states of a made-up problem."""
    rng = np.random.default_rng(9)
    for _ in range(STEPS):
        states, actions = rng.normal(size=(BATCH, STATE)), rng.uniform(-1, 1, (BATCH, ACTION))
        rewards = -np.sum((states[:, :ACTION] - 2 * actions) ** 2, axis=1)
        yield states, actions, rewards, states + 0.1 * rng.normal(size=states.shape)


def by_hand() -> Iterator[float]:
    """Yield the sums of the three losses of the model on `scratch`."""
    scratch.manual_seed(0)
    nn, optim = scratch.nn, scratch.optim
    features, mean, spread, *critics = parts(nn)
    actor, targets = Actor(features, mean, spread), copy.deepcopy(critics)
    log_alpha = nn.Parameter(np.zeros(1))
    q_optimizer = optim.Adam([one for critic in critics for one in critic.parameters()], lr=1e-2)
    actor_optimizer, alpha_optimizer = optim.Adam(actor.parameters(), lr=5e-3), optim.Adam([log_alpha], lr=1e-2)
    criteria = nn.MSELoss(), nn.MSELoss()
    for states, actions, rewards, next_states in batches():
        alpha = np.exp(log_alpha.data)
        with scratch.no_grad():
            next_actions, next_log_probs = actor(next_states)
            pairs = np.concatenate((next_states, next_actions), axis=1)
            lower = np.minimum(*(target(pairs)[:, 0] for target in targets))
            goal = (rewards + GAMMA * (lower - alpha * next_log_probs))[:, None]
        q_optimizer.zero_grad()
        pairs = np.concatenate((states, actions), axis=1)
        q_loss = sum(criterion(critic(pairs), goal) for critic, criterion in zip(critics, criteria, strict=True))
        for critic, criterion in zip(critics, criteria, strict=True):
            critic.backward(criterion.backward())
        q_optimizer.step()

        actor_optimizer.zero_grad()
        drawn, log_probs = actor(states)
        pairs = np.concatenate((states, drawn), axis=1)
        q1, q2 = (critic(pairs) for critic in critics)
        actor_loss = np.mean(alpha * log_probs - np.minimum(q1, q2)[:, 0])
        # The loss takes the lower of the two, so the gradient goes through that critic; a's part is cut out of [s, a].
        grad_pairs = critics[0].backward((q1 < q2) / -BATCH) + critics[1].backward((q2 < q1) / -BATCH)
        actor.backward(grad_pairs[:, STATE:], np.full(BATCH, alpha.item() / BATCH))
        actor_optimizer.step()

        alpha_optimizer.zero_grad()
        alpha_loss = np.mean(-alpha * (log_probs - ACTION))
        log_alpha.grad = -alpha * np.mean(log_probs - ACTION)
        alpha_optimizer.step()
        for critic, target in zip(critics, targets, strict=True):
            for ours, theirs in zip(critic.parameters(), target.parameters(), strict=True):
                theirs.data[...] = TAU * ours.data + (1 - TAU) * theirs.data
        yield float(q_loss + actor_loss + alpha_loss)


def by_autograd() -> Iterator[float]:
    """Yield the sums of the three losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    nn, optim = torch_ref.nn, torch_ref.optim
    features, mean, spread, *critics = parts(nn)
    actor, targets = TorchActor(features, mean, spread), copy.deepcopy(critics)
    log_alpha = nn.Parameter(torch.zeros(1).double())
    q_optimizer = optim.Adam([one for critic in critics for one in critic.parameters()], lr=1e-2)
    actor_optimizer, alpha_optimizer = optim.Adam(actor.parameters(), lr=5e-3), optim.Adam([log_alpha], lr=1e-2)
    criterion = nn.MSELoss()
    for arrays in batches():
        states, actions, rewards, next_states = map(torch.from_numpy, arrays)
        alpha = log_alpha.detach().exp()
        with torch.no_grad():
            next_actions, next_log_probs = actor(next_states)
            pairs = torch.cat((next_states, next_actions), dim=1)
            lower = torch.min(*(target(pairs)[:, 0] for target in targets))
            goal = (rewards + GAMMA * (lower - alpha * next_log_probs))[:, None]
        q_optimizer.zero_grad()
        pairs = torch.cat((states, actions), dim=1)
        q_loss = sum(criterion(critic(pairs), goal) for critic in critics)
        q_loss.backward()
        q_optimizer.step()

        actor_optimizer.zero_grad()
        drawn, log_probs = actor(states)
        pairs = torch.cat((states, drawn), dim=1)
        q1, q2 = (critic(pairs) for critic in critics)
        actor_loss = (alpha * log_probs - torch.min(q1, q2)[:, 0]).mean()
        actor_loss.backward()
        actor_optimizer.step()

        alpha_optimizer.zero_grad()
        alpha_loss = (-log_alpha.exp() * (log_probs.detach() - ACTION)).mean()
        alpha_loss.backward()
        alpha_optimizer.step()
        with torch.no_grad():
            for critic, target in zip(critics, targets, strict=True):
                for ours, theirs in zip(critic.parameters(), target.parameters(), strict=True):
                    theirs.copy_(TAU * ours + (1 - TAU) * theirs)
        yield (q_loss + actor_loss + alpha_loss).item()
