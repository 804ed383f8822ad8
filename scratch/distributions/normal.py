r"""The normal distribution: independent numbers, each with its own mean and standard deviation.

    v  value                            noise  standard normal numbers
    m  loc, the mean                    C      log(2 pi) / 2
    s  scale, the standard deviation

All arrays are broadcast together, to (...). A gradient has the shape of its array, (v), (m), (s): a broadcast becomes a
sum.

log_prob
    F1  z = (v - m) / s                                (...)   how many standard deviations from the mean
    F2  y = -z^2 / 2 - log s - C                       (...)   log of the density exp(-z^2 / 2) / (s sqrt(2 pi))

    B2  grad_z = -grad_y z                             (...)   F2: the square's slope, halved
    B1a grad_value = sum grad_z / s                    (v)     F1: a quotient, by its numerator
    B1b grad_loc = -sum grad_z / s                     (m)     F1: likewise, with a sign
    B1c grad_scale = -sum (grad_y + grad_z z) / s      (s)     F2 and F1: s is used twice; in the logarithm, and below
                                                               the line

entropy
    F1  y = log s + 1/2 + C                            (...)   the mean of -log_prob; the mean of z^2 is 1
    B1  grad_scale = grad_y / s                        (...)   F1: the derivative of log

rsample: the reparameterised sample
    F1  y = m + s noise                                (...)
    B1a grad_loc = sum grad_y                          (m)     F1: m has the factor 1
    B1b grad_scale = sum grad_y noise                  (s)     F1: times the other factor

A sample is random, and chance has no derivative. But the chance is all in the noise, which depends on no parameter, and
m + s noise does have a derivative. So the gradient of a loss on the sample reaches the parameters (Kingma and Welling,
"Auto-Encoding Variational Bayes", 2014, section 2.4). Where only log_prob is differentiated, as in a policy gradient,
the sample is a constant: `Normal.sample`.

PyTorch's counterparts: ``torch.distributions.Normal`` and ``Independent``; the draws agree with theirs bit for bit. A
diagonal Gaussian is ``Independent(Normal(loc, scale), 1)``.
"""

import math
from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype
from scratch.distributions.method import (
    Method,
    Shape,
    as_arrays,
    check_broadcast,
    check_positive,
    spread_event,
    standard_normal,
    sum_event,
)
from scratch.grad_mode import no_grad
from scratch.vjp import unbroadcast

C = math.log(2 * math.pi) / 2


def log_prob(value: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the density at each value."""
    z = (value - loc) / scale  # F1 (...)
    y = -(z**2) / 2 - np.log(scale) - C  # F2 (...)
    return y, (z, scale, value.shape, loc.shape)


def log_prob_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `log_prob`."""
    z, scale, of_value, of_loc = saved
    grad_z = -grad_y * z  # B2 (...)
    grad_value = unbroadcast(grad_z / scale, of_value)  # B1a (v)
    grad_loc = -unbroadcast(grad_z / scale, of_loc)  # B1b (m)
    grad_scale = -unbroadcast((grad_y + grad_z * z) / scale, scale.shape)  # B1c (s)
    return grad_value, grad_loc, grad_scale


def entropy(scale: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the entropy of each distribution, in nats."""
    y = np.log(scale) + (0.5 + C)  # F1 (...)
    return y, (scale,)


def entropy_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `entropy`."""
    (scale,) = saved
    grad_scale = grad_y / scale  # B1 (...)
    return grad_scale


def rsample(loc: np.ndarray, scale: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return a sample for each standard normal number."""
    y = loc + scale * noise  # F1 (...)
    return y, (noise, loc.shape, scale.shape)


def rsample_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `rsample`."""
    noise, of_loc, of_scale = saved
    grad_loc = unbroadcast(grad_y, of_loc)  # B1a (m)
    grad_scale = unbroadcast(grad_y * noise, of_scale)  # B1b (s)
    return grad_loc, grad_scale


class NormalLogProb(Method):
    """`log_prob` of a value, loc and scale; backward returns the gradients of all three."""

    functions = log_prob, log_prob_backward
    names = "value", "loc", "scale"
    inputs = grad_inputs = 3


class NormalEntropy(Method):
    """`entropy` of a scale."""

    functions = entropy, entropy_backward
    names = ("scale",)


class NormalRSample(Method):
    """`rsample` of loc, scale and standard normal noise; backward returns the gradients of loc and scale."""

    functions = rsample, rsample_backward
    names = "loc", "scale", "noise"
    inputs, grad_inputs = 3, 2


class Normal:
    """Independent normal distributions.

    Parameters
    ----------
    loc, scale : numpy.ndarray or float
        Means and standard deviations, of shapes that broadcast together: to ``batch_shape``. A number takes the other
        one's dtype; two numbers are float32.

    Attributes
    ----------
    loc, scale : numpy.ndarray of shape ``batch_shape``
        As in PyTorch, broadcast.
    given : tuple of numpy.ndarray
        loc and scale before they were broadcast. It is these whose gradients the backwards return, in their shapes.

    Raises
    ------
    ValueError
        If a scale is not positive, or the shapes do not broadcast.

    Examples
    --------
    >>> policy = Normal(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    >>> policy.log_prob(np.array([1.0, 1.0])).round(4)
    array([-1.4189, -1.6121])
    >>> grad_value, grad_loc, grad_scale = policy.log_prob_backward(np.array([3.0, 4.0]))
    >>> grad_loc + 0.0, grad_scale + 0.0
    (array([3., 0.]), array([ 0., -2.]))
    """

    event_dim = 0

    def __init__(self, loc: np.ndarray | float, scale: np.ndarray | float) -> None:
        self.given: tuple[np.ndarray, np.ndarray] = as_arrays(loc, scale)
        check_array(self, self.given[0], "loc")
        check_dtype(self, self.given[1], self.given[0].dtype, "scale")
        check_broadcast(self, ("loc", "scale"), self.given)
        check_positive(self, "scale", self.given[1])
        self.batch_shape = np.broadcast_shapes(*[array.shape for array in self.given])
        self.loc, self.scale = (np.broadcast_to(array, self.batch_shape) for array in self.given)
        self._log_prob, self._entropy, self._rsample = NormalLogProb(), NormalEntropy(), NormalRSample()

    @property
    def mean(self) -> np.ndarray:
        """The mean: loc."""
        return self.loc

    @property
    def mode(self) -> np.ndarray:
        """The likeliest value: loc."""
        return self.loc

    @property
    def stddev(self) -> np.ndarray:
        """The standard deviation: scale."""
        return self.scale

    @property
    def variance(self) -> np.ndarray:
        """The square of the standard deviation."""
        return np.asarray(self.scale**2)

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density at each value."""
        return self._log_prob(value, *self.given)

    def log_prob_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gradients of value, loc and scale."""
        return self._log_prob.backward(grad_output)

    def entropy(self) -> np.ndarray:
        """Return the entropy of each distribution, in nats."""
        return self._entropy(self.scale)

    def entropy_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of scale; loc has none."""
        return unbroadcast(self._entropy.backward(grad_output), self.given[1].shape)

    def rsample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw one number from each distribution for each place of ``sample_shape``: functions of loc and scale."""
        noise = standard_normal((*sample_shape, *self.batch_shape), self.loc.dtype)
        return self._rsample(*self.given, noise)

    def rsample_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of loc and scale."""
        return self._rsample.backward(grad_output)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw the numbers that `rsample` would draw, as constants."""
        with no_grad():
            return self.rsample(sample_shape)


class Independent:
    """A distribution whose last axes are one event: its log-probability and entropy are sums over them.

    Parameters
    ----------
    base_distribution : Normal
        Any distribution of this package whose numbers are independent.
    reinterpreted_batch_ndims : int
        How many axes, from the last one, make an event.

    Raises
    ------
    ValueError
        If the distribution has fewer axes.

    Examples
    --------
    >>> gaussian = Independent(Normal(np.zeros((2, 3)), np.ones((2, 3))), 1)
    >>> gaussian.log_prob(np.zeros((2, 3))).round(4)
    array([-2.7568, -2.7568])
    >>> gaussian.log_prob_backward(np.array([1.0, 2.0]))[2]
    array([[-1., -1., -1.],
           [-2., -2., -2.]])
    """

    def __init__(self, base_distribution: Any, reinterpreted_batch_ndims: int) -> None:
        if not 0 <= reinterpreted_batch_ndims <= len(base_distribution.batch_shape):
            raise ValueError(
                "Independent: expected reinterpreted_batch_ndims from 0 to the number of axes, "
                f"{len(base_distribution.batch_shape)}, got {reinterpreted_batch_ndims}"
            )
        self.base_dist, self.event_dim = base_distribution, reinterpreted_batch_ndims
        self.batch_shape = base_distribution.batch_shape[: len(base_distribution.batch_shape) - self.event_dim]

    @property
    def mean(self) -> np.ndarray:
        """The base distribution's mean."""
        return self.base_dist.mean

    @property
    def mode(self) -> np.ndarray:
        """The base distribution's mode."""
        return self.base_dist.mode

    @property
    def stddev(self) -> np.ndarray:
        """The base distribution's standard deviation."""
        return self.base_dist.stddev

    @property
    def variance(self) -> np.ndarray:
        """The base distribution's variance."""
        return self.base_dist.variance

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the density at each value."""
        return sum_event(self.base_dist.log_prob(value), self.event_dim)

    def log_prob_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the gradients that the base distribution's ``log_prob_backward`` returns."""
        return self.base_dist.log_prob_backward(spread_event(grad_output, self.base_dist.batch_shape, self.event_dim))

    def entropy(self) -> np.ndarray:
        """Return the entropy of each event's distribution, in nats."""
        return sum_event(self.base_dist.entropy(), self.event_dim)

    def entropy_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient that the base distribution's ``entropy_backward`` returns."""
        return self.base_dist.entropy_backward(spread_event(grad_output, self.base_dist.batch_shape, self.event_dim))

    def rsample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw as the base distribution does."""
        return self.base_dist.rsample(sample_shape)

    def rsample_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the gradients that the base distribution's ``rsample_backward`` returns."""
        return self.base_dist.rsample_backward(grad_output)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw constants, as the base distribution does."""
        return self.base_dist.sample(sample_shape)
