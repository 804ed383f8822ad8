"""DQN: fit the value of the action taken to a target that a frozen copy of the network computes for the next state.

    target = r + gamma (1 - done) max_a Q_frozen(s', a)          a constant: no gradient goes through it
    L = mean smooth_l1(Q(s, a) - target)

Q(s, a) gathers one number per row, so its gradient scatters one number per row. The actions of the double DQN's target
are chosen by the network itself, in a forward that needs no backward.

Source: Mnih et al., "Human-level control through deep reinforcement learning", 2015; van Hasselt et al., "Deep
Reinforcement Learning with Double Q-learning", 2016.
"""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import scratch
import torch_ref
from parity_tests.ports import STEPS

GAMMA = 0.97
ROWS = np.arange(16)


class Batch(NamedTuple):
    """Transitions from a replay buffer."""

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_states: np.ndarray
    done: np.ndarray


def network(nn: Any) -> Any:
    """Return the Q network, of either engine."""
    return nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 20), nn.ReLU(), nn.Linear(20, 3)).double()


def batches() -> Iterator[Batch]:
    """Yield transitions of a made-up problem."""
    rng = np.random.default_rng(3)
    for _ in range(STEPS):
        states, moves = rng.normal(size=(16, 4)), rng.normal(size=(16, 4))
        actions = rng.integers(0, 3, 16)
        rewards = states[ROWS, actions] + 0.1 * rng.normal(size=16)
        yield Batch(states, actions, rewards, states + 0.1 * moves, (rng.random(16) < 0.2).astype(float))


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    model, criterion = network(scratch.nn), scratch.nn.SmoothL1Loss()
    frozen = copy.deepcopy(model).requires_grad_(False)
    optimizer = scratch.optim.AdamW(model.parameters(), lr=2e-3, amsgrad=True)
    for step, batch in enumerate(batches()):
        with scratch.no_grad():
            best = model(batch.next_states).argmax(axis=1)
            target = batch.rewards + GAMMA * (1 - batch.done) * frozen(batch.next_states)[ROWS, best]
        q = model(batch.states)
        loss = criterion(q[ROWS, batch.actions], target)
        optimizer.zero_grad()
        grad_q = np.zeros_like(q)
        grad_q[ROWS, batch.actions] = criterion.backward()
        model.backward(grad_q)
        scratch.nn.utils.clip_grad_value_(model.parameters(), 0.05)
        optimizer.step()
        if step % 5 == 4:
            frozen.load_state_dict(model.state_dict())
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    model, criterion = network(torch_ref.nn), torch_ref.nn.SmoothL1Loss()
    frozen = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch_ref.optim.AdamW(model.parameters(), lr=2e-3, amsgrad=True)
    for step, arrays in enumerate(batches()):
        batch = Batch(*map(torch.from_numpy, arrays))
        with torch.no_grad():
            best = model(batch.next_states).argmax(dim=1, keepdim=True)
            values = frozen(batch.next_states).gather(1, best).squeeze(1)
            target = batch.rewards + GAMMA * (1 - batch.done) * values
        q = model(batch.states)
        loss = criterion(q.gather(1, batch.actions[:, None]).squeeze(1), target)
        optimizer.zero_grad()
        loss.backward()
        torch_ref.nn.utils.clip_grad_value_(model.parameters(), 0.05)
        optimizer.step()
        if step % 5 == 4:
            frozen.load_state_dict(model.state_dict())
        yield loss.item()
