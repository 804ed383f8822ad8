"""A world model: see a frame as a few numbers, predict the next few numbers, and draw the frame that they stand for.

    encode    mu, s = encoder(frame);  z = mu + exp(s / 2) eps          `FrameVAE`
    predict   p(z_(t+1) - z_t), p(reward) = head(GRU(z_t, a_t, h))      `Dynamics`
    decode    frame = decoder(z)                                        `FrameVAE`
    dream     z_(t+1) is drawn from what was predicted, and so on, without looking

It mirrors ``scratch/world_model.py``, whose ``backward`` methods are what autograd does here.

Source: Ha and Schmidhuber, "World Models", 2018 (there an LSTM; a GRU here); Kingma and Welling, "Auto-Encoding
Variational Bayes", 2014.
"""

from typing import Any

import torch
from torch import Tensor

from torch_ref import distributions, nn

ROWS, COLUMNS = 32, 60
CHANNELS = 16, 32
SMALLEST = -5.0


class FrameVAE(nn.Module):
    """From grey frames to a code of a few numbers, with a spread, and back.

    Parameters
    ----------
    latent : int
        How many numbers a code has.
    dtype : torch.dtype
        float32 or float64.

    Shapes
    ------
    Frames (N, 1, 32, 60), within [0, 1], and noise (N, latent) to the triple of the logits of the pixels, shaped like
    the frames, and of the codes' means and log variances, (N, latent).
    """

    def __init__(self, latent: int = 8, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        first, second = CHANNELS
        small = second, ROWS // 4, COLUMNS // 4
        features = second * small[1] * small[2]
        self.encoder = nn.Sequential(
            nn.Conv2d(1, first, 4, 2, 1, dtype=dtype),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, 2, 1, dtype=dtype),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.mean = nn.Linear(features, latent, dtype=dtype)
        self.log_var = nn.Linear(features, latent, dtype=dtype)
        self.decoder = nn.Sequential(
            nn.Linear(latent, features, dtype=dtype),
            nn.ReLU(),
            nn.Unflatten(1, small),
            nn.ConvTranspose2d(second, first, 4, 2, 1, dtype=dtype),
            nn.ReLU(),
            nn.ConvTranspose2d(first, 1, 4, 2, 1, dtype=dtype),
        )

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of the pixels, and the codes' means and log variances."""
        features = self.encoder(x)
        mean, log_var = self.mean(features), self.log_var(features)
        return self.decoder(mean + torch.exp(0.5 * log_var) * noise), mean, log_var

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes' means, without a backward."""
        with torch.no_grad():
            return self.mean(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Return the frames that codes stand for, without a backward."""
        with torch.no_grad():
            return nn.Sigmoid()(self.decoder(z))


class FrameLoss(nn.Module):
    """The error of the pixels, plus ``beta`` times the divergence of the codes from N(0, 1); a mean over the frames.

        L = (1/N) sum_n [ BCE(logits_n, x_n) + beta KL_n ],      KL_n = -1/2 sum (1 + s - mu^2 - exp(s))

    Shapes
    ------
    What `FrameVAE` returns, and the frames, to a scalar.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta, self.pixels = beta, nn.BCEWithLogitsLoss(reduction="sum")

    def forward(self, logits: Tensor, mean: Tensor, log_var: Tensor, x: Tensor) -> Any:
        """Return the loss."""
        divergence = -0.5 * torch.sum(1 + log_var - mean**2 - torch.exp(log_var))
        return (self.pixels(logits, x) + self.beta * divergence) / len(x)


class Dynamics(nn.Module):
    """A GRU over codes and actions, and a linear layer to a mixture of Gaussians and a reward.

    There is a mixture for each number of the code; it is the distribution of the change, z_(t+1) - z_t.

    Parameters
    ----------
    latent, actions, hidden, mixture : int
        How many numbers a code has, how many actions there are, the state's size, and how many Gaussians are mixed.
    dtype : torch.dtype
        float32 or float64.

    Shapes
    ------
    Codes (N, T, latent), actions (N, T, actions), one-hot, and a state (1, N, hidden) or None to the mixture's logits,
    means and scales, (N, T, latent, mixture), and the reward's logit, (N, T); the state is in ``state``.
    """

    def __init__(
        self, latent: int, actions: int, hidden: int = 64, mixture: int = 3, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.latent, self.mixture = latent, mixture
        self.gru = nn.GRU(latent + actions, hidden, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, 3 * latent * mixture + 1, dtype=dtype)

    def forward(self, z: Tensor, actions: Tensor, state: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the mixture's logits, means and scales, and the reward's logit."""
        output, self.state = self.gru(torch.cat((z, actions), dim=2), state)
        numbers = self.latent * self.mixture
        logits, mean, log_scale, reward = torch.split(self.head(output), [numbers, numbers, numbers, 1], dim=2)
        shape = (*z.shape, self.mixture)
        scale = torch.exp(log_scale.clamp(min=SMALLEST))
        return logits.reshape(shape), mean.reshape(shape), scale.reshape(shape), reward[..., 0]


class DynamicsLoss(nn.Module):
    """The mixture's negative log-likelihood of the changes, a mean over the numbers, plus the reward's cross-entropy.

    Shapes
    ------
    What `Dynamics` returns, the changes (N, T, latent) and the rewards (N, T), 0 or 1, to a scalar.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reward = nn.BCEWithLogitsLoss()

    def forward(self, *outputs_and_targets: Tensor) -> Any:
        """Return the loss."""
        logits, mean, scale, reward, change, rewards = outputs_and_targets
        mixed = distributions.MixtureSameFamily(
            distributions.Categorical(logits=logits), distributions.Normal(mean, scale)
        )
        return -mixed.log_prob(change).mean() + self.reward(reward, rewards)


def dream(model: Dynamics, z: Tensor, actions: Tensor, state: Tensor | None) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return what `Dynamics` predicts for one step, from codes (N, latent) and one-hot actions, and its next state."""
    with torch.no_grad():
        outputs = model(z[:, None], actions[:, None], state)
    return tuple(output[:, 0] for output in outputs), model.state
