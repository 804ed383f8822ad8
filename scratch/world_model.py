"""A world model: see a frame as a few numbers, predict the next few numbers, and draw the frame that they stand for.

    encode    mu, s = encoder(frame);  z = mu + exp(s / 2) eps          `FrameVAE`
    predict   p(z_(t+1) - z_t), p(reward) = head(GRU(z_t, a_t, h))      `Dynamics`
    decode    frame = decoder(z)                                        `FrameVAE`
    dream     z_(t+1) is drawn from what was predicted, and so on, without looking

Read this file beside ``torch_ref/world_model.py``: the constructors and the forwards are the same, and the ``backward``
methods, which exist only here, do what autograd does in PyTorch.

Source: Ha and Schmidhuber, "World Models", 2018 (there an LSTM; a GRU here); Kingma and Welling, "Auto-Encoding
Variational Bayes", 2014.
"""

from typing import Any

import numpy as np

from scratch import distributions, nn
from scratch.grad_mode import no_grad

ROWS, COLUMNS = 32, 60
CHANNELS = 16, 32
SMALLEST = -5.0


class FrameVAE(nn.Module):
    """From grey frames to a code of a few numbers, with a spread, and back.

    Parameters
    ----------
    latent : int
        How many numbers a code has.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    Frames (N, 1, 32, 60), within [0, 1], and noise (N, latent) to the triple of the logits of the pixels, shaped like
    the frames, and of the codes' means and log variances, (N, latent).
    """

    def __init__(self, latent: int = 8, dtype: type = np.float32) -> None:
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

    def forward(self, x: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the logits of the pixels, and the codes' means and log variances."""
        features = self.encoder(x)
        mean, log_var = self.mean(features), self.log_var(features)
        shift = np.exp(0.5 * log_var) * noise
        self.save_for_backward(shift=shift)
        return self.decoder(mean + shift), mean, log_var

    def backward(self, grad_logits: np.ndarray, grad_mean: np.ndarray, grad_log_var: np.ndarray) -> np.ndarray:
        """Undo ``forward``.

        The code is mean + exp(log_var / 2) noise: its gradient goes to the mean unchanged, and, times half of what was
        added, to the log variance. The loss reads both of them too, and both come from the same features: in each case
        the gradients add.
        """
        grad_z = self.decoder.backward(grad_logits)
        grad_features = self.mean.backward(grad_mean + grad_z)
        grad_features = grad_features + self.log_var.backward(grad_log_var + 0.5 * self.saved("shift") * grad_z)
        return self.encoder.backward(grad_features)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the codes' means, without a backward."""
        with no_grad():
            return self.mean(self.encoder(x))

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the frames that codes stand for, without a backward."""
        with no_grad():
            return nn.Sigmoid()(self.decoder(z))


class FrameLoss(nn.Module):
    """The error of the pixels, plus ``beta`` times the divergence of the codes from N(0, 1); a mean over the frames.

        L = (1/N) sum_n [ BCE(logits_n, x_n) + beta KL_n ],      KL_n = -1/2 sum (1 + s - mu^2 - exp(s))

    Shapes
    ------
    What `FrameVAE` returns, and the frames, to a scalar. ``backward`` returns the gradients of the first three.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta, self.pixels = beta, nn.BCEWithLogitsLoss(reduction="sum")

    def forward(self, logits: np.ndarray, mean: np.ndarray, log_var: np.ndarray, x: np.ndarray) -> Any:
        """Return the loss."""
        var = np.exp(log_var)
        self.save_for_backward(mean=mean, var=var, count=len(x))
        divergence = -0.5 * np.sum(1 + log_var - mean**2 - var)
        return (self.pixels(logits, x) + self.beta * divergence) / len(x)

    def backward(self, grad_output: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gradients of the logits, the means and the log variances."""
        mean, var, count = self.saved("mean", "var", "count")
        share = grad_output / count
        grad_logits = self.pixels.backward(share)
        return grad_logits, share * self.beta * mean, share * self.beta * 0.5 * (var - 1)


class Dynamics(nn.Module):
    """A GRU over codes and actions, and a linear layer to a mixture of Gaussians and a reward.

    There is a mixture for each number of the code; it is the distribution of the change, z_(t+1) - z_t.

    Parameters
    ----------
    latent, actions, hidden, mixture : int
        How many numbers a code has, how many actions there are, the state's size, and how many Gaussians are mixed.
    dtype : numpy dtype
        float32 or float64.

    Shapes
    ------
    Codes (N, T, latent), actions (N, T, actions), one-hot, and a state (1, N, hidden) or None to the mixture's logits,
    means and scales, (N, T, latent, mixture), and the reward's logit, (N, T); the state is in ``state``.
    """

    def __init__(self, latent: int, actions: int, hidden: int = 64, mixture: int = 3, dtype: type = np.float32) -> None:
        super().__init__()
        self.latent, self.mixture = latent, mixture
        self.gru = nn.GRU(latent + actions, hidden, batch_first=True, dtype=dtype)
        self.head = nn.Linear(hidden, 3 * latent * mixture + 1, dtype=dtype)

    def forward(self, z: np.ndarray, actions: np.ndarray, state: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """Return the mixture's logits, means and scales, and the reward's logit."""
        output, self.state = self.gru(np.concatenate((z, actions), axis=2), state)
        numbers = self.latent * self.mixture
        logits, mean, log_scale, reward = np.split(self.head(output), [numbers, 2 * numbers, 3 * numbers], axis=2)
        shape = (*z.shape, self.mixture)
        scale = np.exp(np.maximum(log_scale, SMALLEST))
        self.save_for_backward(scale=scale, large=log_scale > SMALLEST)
        return logits.reshape(shape), mean.reshape(shape), scale.reshape(shape), reward[..., 0]

    def backward(self, grad_logits: np.ndarray, *grads: np.ndarray) -> np.ndarray:
        """Undo ``forward``; return the gradient of codes and actions, side by side.

        The head's output was split, so its gradient is the concatenation of the parts' gradients.
        """
        rows = grad_logits.shape[:2]
        grad_mean, grad_scale, grad_reward = grads
        scale, large = self.saved("scale", "large")
        grad_log_scale = grad_scale.reshape(scale.shape) * scale * large
        parts = grad_logits.reshape(*rows, -1), grad_mean.reshape(*rows, -1), grad_log_scale, grad_reward[..., None]
        grad_input, _ = self.gru.backward(self.head.backward(np.concatenate(parts, axis=2)))
        return grad_input


class DynamicsLoss(nn.Module):
    """The mixture's negative log-likelihood of the changes, a mean over the numbers, plus the reward's cross-entropy.

    Shapes
    ------
    What `Dynamics` returns, the changes (N, T, latent) and the rewards (N, T), 0 or 1, to a scalar. ``backward``
    returns the gradients of the first four.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reward = nn.BCEWithLogitsLoss()

    def forward(self, *outputs_and_targets: np.ndarray) -> Any:
        """Return the loss."""
        logits, mean, scale, reward, change, rewards = outputs_and_targets
        mixed = distributions.MixtureSameFamily(
            distributions.Categorical(logits=logits), distributions.Normal(mean, scale)
        )
        self.save_for_backward(mixed=mixed, shape=change.shape)
        return -mixed.log_prob(change).mean() + self.reward(reward, rewards)

    def backward(self, grad_output: float = 1.0) -> tuple[np.ndarray, ...]:
        """Return the gradients of the mixture's logits, means and scales, and of the reward's logit."""
        mixed, shape = self.saved("mixed", "shape")
        grad_reward = self.reward.backward(grad_output)
        grad_log_prob = np.full(shape, -grad_output / np.prod(shape), grad_reward.dtype)
        _, *grads = mixed.log_prob_backward(grad_log_prob)
        return (*grads, grad_reward)


def dream(
    model: Dynamics, z: np.ndarray, actions: np.ndarray, state: np.ndarray | None
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return what `Dynamics` predicts for one step, from codes (N, latent) and one-hot actions, and its next state."""
    with no_grad():
        outputs = model(z[:, None], actions[:, None], state)
    return tuple(output[:, 0] for output in outputs), model.state
