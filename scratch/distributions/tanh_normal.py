r"""The tanh-squashed normal distribution: normally distributed numbers, bent into (-1, 1); actions with limits.

    u  normally distributed    y      tanh u, in (-1, 1)
    m  loc of u                noise  standard normal
    s  scale of u              C      log(2 pi) / 2

All arrays are broadcast together, to (...). A gradient has the shape of its array, (y), (m), (s): a broadcast becomes a
sum.

A density counts probability per length, and tanh changes lengths by its slope: p(y) = p(u) / (1 - tanh^2 u). The
logarithm of that slope, without a difference of nearly equal numbers:

    log(1 - tanh^2 u) = 2 (log 2 - u - log(1 + exp(-2 u))),    with the derivative -2 tanh u

log_prob of a value y
    F1  u = arctanh(y)                                     (...)
    F2  z = (u - m) / s                                    (...)
    F3  log_slope = 2 (log 2 - u - log(1 + exp(-2 u)))     (...)
    F4  logp = -z^2 / 2 - log s - C - log_slope            (...)

    B4  grad_z = -grad_logp z                              (...)   F4: the square's slope, halved
    B3  grad_u = grad_z / s + 2 grad_logp tanh(u)          (...)   F3 and F2: u is used twice; the sign of F4 and that
                                                                   of the derivative cancel
    B2a grad_loc = -sum grad_z / s                         (m)     F2: a sign
    B2b grad_scale = -sum (grad_logp + grad_z z) / s       (s)     F4 and F2: s is used twice
    B1  grad_value = sum grad_u / (1 - y^2)                (y)     F1: the derivative of the inverse function

rsample_with_log_prob: a reparameterised sample and its own log-probability, as soft actor-critic needs them
    F1  u = m + s noise                                    (...)
    F2  y = tanh(u)                                        (...)
    F3  log_slope = 2 (log 2 - u - log(1 + exp(-2 u)))     (...)
    F4  logp = -noise^2 / 2 - log s - C - log_slope        (...)   (u - m) / s is the noise itself: no parameter

    B3  grad_u = grad_y (1 - y^2) + 2 grad_logp y          (...)   F4 to F2: u is used twice; tanh u is y
    B1a grad_loc = sum grad_u                              (m)     F1: m has the factor 1
    B1b grad_scale = sum (grad_u noise - grad_logp / s)    (s)     F4 and F1: s is used twice

Near the ends, y is rounded to -1 or 1, and `log_prob` of it is infinite. `rsample_with_log_prob` knows u, and stays
finite; so does PyTorch with ``TanhTransform(cache_size=1)``.

Source: Haarnoja et al., "Soft Actor-Critic", 2018, appendix C. PyTorch's counterpart:
``TransformedDistribution(Normal(loc, scale), TanhTransform())``. Left out: other transforms. There is no entropy in
closed form.
"""

import math
from typing import Any

import numpy as np

from scratch.distributions.method import Method, Shape, spread_event, standard_normal, sum_event
from scratch.distributions.normal import C, Independent, Normal
from scratch.grad_mode import no_grad
from scratch.vjp import unbroadcast


def log_prob(value: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the density at each value in (-1, 1)."""
    u = np.arctanh(value)  # F1 (...)
    z = (u - loc) / scale  # F2 (...)
    log_slope = 2 * (math.log(2) - u - np.logaddexp(0, -2 * u))  # F3 (...)
    logp = -(z**2) / 2 - np.log(scale) - C - log_slope  # F4 (...)
    return logp, (value, z, scale, loc.shape)


def log_prob_backward(grad_logp: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `log_prob`."""
    value, z, scale, of_loc = saved
    grad_z = -grad_logp * z  # B4 (...)
    grad_u = grad_z / scale + 2 * grad_logp * value  # B3 (...)
    grad_loc = -unbroadcast(grad_z / scale, of_loc)  # B2a (m)
    grad_scale = -unbroadcast((grad_logp + grad_z * z) / scale, scale.shape)  # B2b (s)
    grad_value = unbroadcast(grad_u / (1 - value**2), value.shape)  # B1 (y)
    return grad_value, grad_loc, grad_scale


def rsample_with_log_prob(
    loc: np.ndarray, scale: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return a sample for each standard normal number, and the logarithm of the density at it."""
    u = loc + scale * noise  # F1 (...)
    y = np.tanh(u)  # F2 (...)
    log_slope = 2 * (math.log(2) - u - np.logaddexp(0, -2 * u))  # F3 (...)
    logp = -(noise**2) / 2 - np.log(scale) - C - log_slope  # F4 (...)
    return y, (y, noise, scale, loc.shape), logp


def rsample_with_log_prob_backward(
    grad_y: np.ndarray, grad_logp: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """Undo `rsample_with_log_prob`."""
    y, noise, scale, of_loc = saved
    grad_u = grad_y * (1 - y**2) + 2 * grad_logp * y  # B3 (...)
    grad_loc = unbroadcast(grad_u, of_loc)  # B1a (m)
    grad_scale = unbroadcast(grad_u * noise - grad_logp / scale, scale.shape)  # B1b (s)
    return grad_loc, grad_scale


class TanhNormalLogProb(Method):
    """`log_prob` of a value, loc and scale; backward returns the gradients of all three."""

    functions = log_prob, log_prob_backward
    names = "value", "loc", "scale"
    inputs = grad_inputs = 3

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless the arrays are of one dtype and broadcast together, and the values are within [-1, 1]."""
        super().check_arrays(*arrays)
        value = arrays[0]
        if (np.abs(value) > 1).any():
            raise ValueError(f"TanhNormalLogProb: expected value within [-1, 1], got {value[np.abs(value) > 1][0]}")


class TanhNormalRSample(Method):
    """`rsample_with_log_prob` of loc, scale and noise; backward returns the gradients of loc and scale."""

    functions = rsample_with_log_prob, rsample_with_log_prob_backward
    names = "loc", "scale", "noise"
    inputs, grad_inputs, outputs = 3, 2, 2


class TanhTransform:
    """y = tanh(u), the transform that `TransformedDistribution` takes; ``cache_size`` changes nothing."""

    def __init__(self, cache_size: int = 0) -> None:
        self.cache_size = cache_size


class TransformedDistribution:
    """A normal distribution, squashed into (-1, 1) by tanh.

    Parameters
    ----------
    base_distribution : Normal, or Independent of one
        What is squashed. Of an Independent, log-probabilities are summed over the axes of an event.
    transforms : TanhTransform, or a list of one
        The only transform there is.

    Raises
    ------
    NotImplementedError
        For another distribution or transform.

    Examples
    --------
    >>> policy = TransformedDistribution(Normal(np.zeros(2), np.ones(2)), TanhTransform())
    >>> policy.log_prob(np.array([0.0, 0.5])).round(4)
    array([-0.9189, -0.7821])
    >>> grad_value, grad_loc, grad_scale = policy.log_prob_backward(np.array([1.0, 1.0]))
    >>> grad_scale.round(4)
    array([-1.    , -0.6983])
    """

    def __init__(self, base_distribution: Normal | Independent, transforms: Any) -> None:
        base = base_distribution.base_dist if isinstance(base_distribution, Independent) else base_distribution
        transform = transforms[0] if isinstance(transforms, list) and len(transforms) == 1 else transforms
        if not isinstance(base, Normal) or not isinstance(transform, TanhTransform):
            raise NotImplementedError(
                "TransformedDistribution: expected a Normal, or Independent of one, and a TanhTransform, got "
                f"{type(base).__name__} and {type(transform).__name__}"
            )
        self.base_dist, self.event_dim = base, base_distribution.event_dim
        self.batch_shape = base_distribution.batch_shape
        self._log_prob, self._rsample = TanhNormalLogProb(), TanhNormalRSample()

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density at each value in (-1, 1)."""
        return sum_event(self._log_prob(value, *self.base_dist.given), self.event_dim)

    def log_prob_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gradients of value, loc and scale."""
        return self._log_prob.backward(spread_event(grad_output, self.base_dist.batch_shape, self.event_dim))

    def rsample_with_log_prob(self, sample_shape: Shape = ()) -> tuple[np.ndarray, np.ndarray]:
        """Draw as `rsample` does; also return the logarithm of the density at what was drawn."""
        noise = standard_normal((*sample_shape, *self.base_dist.batch_shape), self.base_dist.loc.dtype)
        y, logp = self._rsample(*self.base_dist.given, noise)
        return y, sum_event(logp, self.event_dim)

    def rsample_with_log_prob_backward(
        self, grad_output: np.ndarray | None, grad_logp: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of loc and scale, from those of the sample and of its log-probability, or None."""
        if grad_logp is not None:
            grad_logp = spread_event(grad_logp, self.base_dist.batch_shape, self.event_dim)
        return self._rsample.backward(grad_output, grad_logp)

    def rsample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw one number from each distribution for each place of ``sample_shape``: functions of loc and scale."""
        return self.rsample_with_log_prob(sample_shape)[0]

    def rsample_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of loc and scale."""
        return self.rsample_with_log_prob_backward(grad_output, None)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw the numbers that `rsample` would draw, as constants."""
        with no_grad():
            return self.rsample(sample_shape)
