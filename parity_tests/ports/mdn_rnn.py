"""MDN-RNN: an LSTM that predicts the next latent vector as a mixture of Gaussians, and the reward.

    p(z_(t+1) | z_1..t, a_1..t) = sum_k pi_k N(mu_k, sigma_k)      for each number of z on its own

One linear layer returns all of it side by side, so its gradient is a concatenation of the gradients of the parts.

Source: Ha and Schmidhuber, "World Models", 2018; Bishop, "Mixture Density Networks", 1994.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

import scratch
import torch_ref
from parity_tests.ports import STEPS

LATENT, ACTION, HIDDEN, MIXTURE, LENGTH, BATCH = 3, 2, 10, 4, 7, 5
NUMBERS = LATENT * MIXTURE


class MDNRNN(scratch.nn.Module):
    """Map latent vectors and actions to the parts of the mixture, and to a reward."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = scratch.nn.LSTM(LATENT + ACTION, HIDDEN)
        self.head = scratch.nn.Linear(HIDDEN, 3 * NUMBERS + 1)

    def forward(self, z: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        output, _ = self.lstm(np.concatenate((z, actions), axis=2))
        logits, mean, log_scale, reward = np.split(self.head(output), [NUMBERS, 2 * NUMBERS, 3 * NUMBERS], axis=2)
        shape = (*z.shape[:2], LATENT, MIXTURE)
        return logits.reshape(shape), mean.reshape(shape), np.exp(log_scale.reshape(shape)), reward[..., 0]

    def backward(self, *grads: np.ndarray) -> np.ndarray:
        flat = [grad.reshape(*grad.shape[:2], -1) for grad in grads]
        grad_input, _ = self.lstm.backward(self.head.backward(np.concatenate(flat, axis=2)))
        return grad_input


class TorchMDNRNN(torch_ref.nn.Module):
    """`MDNRNN`, for autograd."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch_ref.nn.LSTM(LATENT + ACTION, HIDDEN)
        self.head = torch_ref.nn.Linear(HIDDEN, 3 * NUMBERS + 1)

    def forward(self, z: Tensor, actions: Tensor) -> tuple[Tensor, ...]:
        output, _ = self.lstm(torch.cat((z, actions), dim=2))
        logits, mean, log_scale, reward = torch.split(self.head(output), [NUMBERS, NUMBERS, NUMBERS, 1], dim=2)
        shape = (*z.shape[:2], LATENT, MIXTURE)
        return logits.reshape(shape), mean.reshape(shape), torch.exp(log_scale.reshape(shape)), reward[..., 0]


def batches() -> Iterator[tuple[np.ndarray, ...]]:
    """Yield latent vectors that jump one way or the other, actions, rewards, and the vectors that follow."""
    rng = np.random.default_rng(10)
    for _ in range(STEPS):
        actions = np.eye(ACTION)[rng.integers(0, ACTION, (LENGTH, BATCH))]
        jumps = rng.choice([-1.0, 1.0], (LENGTH, BATCH, LATENT)) * (0.5 + actions[..., :1])
        z = np.concatenate((rng.normal(size=(1, BATCH, LATENT)), np.zeros((LENGTH, BATCH, LATENT))))
        for t in range(LENGTH):
            z[t + 1] = 0.7 * z[t] + jumps[t]
        yield z[:-1], actions, z[:-1].sum(axis=2) * actions[..., 1], z[1:]


def by_hand() -> Iterator[float]:
    """Yield the losses of the model on `scratch`."""
    scratch.manual_seed(0)
    distributions = scratch.distributions
    model, criterion = MDNRNN().double(), scratch.nn.MSELoss()
    optimizer = scratch.optim.Adam(model.parameters(), lr=1e-2)
    for z, actions, rewards, following in batches():
        logits, mean, scale, reward = model(z, actions)
        mixture = distributions.MixtureSameFamily(
            distributions.Categorical(logits=logits), distributions.Normal(mean, scale)
        )
        log_probs = mixture.log_prob(following)
        loss = -np.mean(log_probs) + criterion(reward, rewards)
        optimizer.zero_grad()
        _, grad_logits, grad_mean, grad_scale = mixture.log_prob_backward(np.full_like(log_probs, -1 / log_probs.size))
        model.backward(grad_logits, grad_mean, grad_scale * scale, criterion.backward())
        optimizer.step()
        yield float(loss)


def by_autograd() -> Iterator[float]:
    """Yield the losses of the model on PyTorch."""
    torch_ref.manual_seed(0)
    distributions = torch_ref.distributions
    model, criterion = TorchMDNRNN().double(), torch_ref.nn.MSELoss()
    optimizer = torch_ref.optim.Adam(model.parameters(), lr=1e-2)
    for arrays in batches():
        z, actions, rewards, following = map(torch.from_numpy, arrays)
        logits, mean, scale, reward = model(z, actions)
        mixture = distributions.MixtureSameFamily(
            distributions.Categorical(logits=logits), distributions.Normal(mean, scale)
        )
        loss = -mixture.log_prob(following).mean() + criterion(reward, rewards)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
