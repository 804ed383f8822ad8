r"""A mixture of Gaussians: first one of K components is drawn, then a number from it; for futures that may fork.

    K  components, numbered k         logits  (..., K)     of the components' probabilities
    D  numbers of a value             m, s    (..., K, D)  loc and scale of each component
    C  log(2 pi) / 2                  v       (..., D)     value
    y  (...)  output                                       Leading axes are broadcast: a broadcast becomes a sum.

log_prob
    F1  z = (v - m) / s                                  (..., K, D)  the value beside each component
    F2  parts = sum_d(-z^2 / 2 - log s - C)              (..., K)     log-densities of the components
    F3  shifted = logits - max_k logits                  (..., K)     changes nothing in F4
    F4  mix = shifted - log sum_k exp(shifted)           (..., K)     log softmax
    F5  joint = mix + parts                              (..., K)
    F6  top = max_k joint, 0 if infinite                 (..., 1)     changes nothing in F7: no exponential overflows
    F7  y = log sum_k exp(joint - top) + top             (...)

    B7  grad_joint = grad_y exp(joint - y)               (..., K)     F7: the share of each component in the density at
                                                                      v, its responsibility
    B5a grad_parts = grad_joint                          (..., K)     F5: a sum passes its gradient on
    B5b grad_mix = sum grad_joint                        (..., K)     F5: likewise
    B4  grad_shifted = grad_mix
                       - exp(mix) sum_k grad_mix         (..., K)     F4: every logit is in its row's sum
    B3  grad_logits = grad_shifted                       (..., K)     F3: a row of it sums to 0: the path by max adds 0
    B2  grad_z = -grad_parts z                           (..., K, D)  F2: each term of a sum has the sum's gradient
    B1a grad_value = sum_k grad_z / s                    (..., D)     F1: v was broadcast over the components
    B1b grad_loc = -sum grad_z / s                       (..., K, D)  F1: a sign
    B1c grad_scale = -sum (grad_parts + grad_z z) / s    (..., K, D)  F2 and F1: s is used twice

Each component is pulled towards the values that it is responsible for, in proportion: what expectation-maximization
does, by gradient descent. As world models use it, each number has a mixture of its own, D = 1.

Source: Bishop, "Mixture Density Networks", 1994, equations 33 to 40; Ha and Schmidhuber, "World Models", 2018.
PyTorch's counterpart: ``torch.distributions.MixtureSameFamily(Categorical, Normal or Independent(Normal, 1))``. It has
no entropy in closed form, and no reparameterised sample: which component was drawn has no derivative.
"""

import numpy as np

from scratch.distributions.categorical import Categorical
from scratch.distributions.method import Method, Shape, check_all
from scratch.distributions.normal import C, Independent, Normal
from scratch.vjp import unbroadcast


def log_prob(value: np.ndarray, logits: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the mixture's density at each value."""
    z = (value[..., None, :] - loc) / scale  # F1 (..., K, D)
    parts = (-(z**2) / 2 - np.log(scale) - C).sum(axis=-1)  # F2 (..., K)
    shifted = logits - logits.max(axis=-1, keepdims=True)  # F3 (..., K)
    mix = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # F4 (..., K)
    joint = mix + parts  # F5 (..., K)
    top = finite_or_zero(joint.max(axis=-1, keepdims=True))  # F6 (..., 1)
    y = np.log(np.exp(joint - top).sum(axis=-1)) + top[..., 0]  # F7 (...)
    return y, (z, scale, mix, joint, y, value.shape, loc.shape)


def log_prob_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Undo `log_prob`."""
    z, scale, mix, joint, y, of_value, of_loc = saved
    grad_joint = grad_y[..., None] * np.exp(joint - y[..., None])  # B7 (..., K)
    grad_parts = grad_joint  # B5a (..., K)
    grad_mix = unbroadcast(grad_joint, mix.shape)  # B5b (..., K)
    grad_shifted = grad_mix - np.exp(mix) * grad_mix.sum(axis=-1, keepdims=True)  # B4 (..., K)
    grad_logits = grad_shifted  # B3 (..., K)
    grad_z = -grad_parts[..., None] * z  # B2 (..., K, D)
    grad_value = unbroadcast((grad_z / scale).sum(axis=-2), of_value)  # B1a (..., D)
    grad_loc = -unbroadcast(grad_z / scale, of_loc)  # B1b (..., K, D)
    grad_scale = -unbroadcast((grad_parts[..., None] + grad_z * z) / scale, scale.shape)  # B1c (..., K, D)
    return grad_value, grad_logits, grad_loc, grad_scale


def finite_or_zero(x: np.ndarray) -> np.ndarray:
    """Return ``x`` where it is finite, and 0 elsewhere."""
    return np.where(np.isfinite(x), x, 0)


class MixtureLogProb(Method):
    """`log_prob` of a value, logits, loc and scale; backward returns the gradients of all four."""

    functions = log_prob, log_prob_backward
    names = "value", "logits", "loc", "scale"
    inputs = grad_inputs = 4

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless the arrays are of one dtype, and their leading axes, components and numbers fit each other."""
        check_all(self, self.names, arrays)
        value, logits, loc, scale = (array.shape for array in arrays)
        try:
            parts = np.broadcast_shapes((*value[:-1], 1, *value[-1:]), loc, scale)
            fits = np.broadcast_shapes(parts[:-1], logits)[-1:] == parts[-2:-1] == logits[-1:]
        except ValueError:
            fits = False
        if not fits or not value:
            raise ValueError(
                "MixtureLogProb: expected value (..., D), logits (..., K), loc and scale (..., K, D), got "
                f"{value}, {logits}, {loc} and {scale}"
            )


class MixtureSameFamily:
    """A mixture of K normal distributions.

    Parameters
    ----------
    mixture_distribution : Categorical
        The distribution of the components, with logits (..., K).
    component_distribution : Normal, or Independent(Normal, 1)
        Their numbers: batch (..., K), or (..., K) and events of D.

    Raises
    ------
    NotImplementedError
        For other distributions.
    ValueError
        If the two differ in the number of components.

    Examples
    --------
    >>> two = Normal(np.array([0.0, 4.0]), np.array([1.0, 1.0]))
    >>> mixture = MixtureSameFamily(Categorical(logits=np.zeros(2)), two)
    >>> mixture.log_prob(np.array([0.0, 2.0])).round(4)
    array([-1.6118, -2.9189])
    >>> grad_value, grad_logits, grad_loc, grad_scale = mixture.log_prob_backward(np.array([1.0, 1.0]))
    >>> grad_logits.round(4), grad_loc.round(4)
    (array([ 0.4997, -0.4997]), array([ 1.    , -1.0013]))
    """

    def __init__(self, mixture_distribution: Categorical, component_distribution: Normal | Independent) -> None:
        component = component_distribution
        normal = component.base_dist if isinstance(component, Independent) else component
        known = isinstance(normal, Normal) and isinstance(mixture_distribution, Categorical)
        if not known or component.event_dim not in (0, 1):
            raise NotImplementedError(
                "MixtureSameFamily: expected a Categorical and a Normal or Independent(Normal, 1), got "
                f"{type(mixture_distribution).__name__} and {type(component).__name__}"
            )
        if mixture_distribution.given.shape[-1:] != component.batch_shape[-1:]:
            raise ValueError(
                "MixtureSameFamily: expected as many components as logits, got batch "
                f"{component.batch_shape} and logits {mixture_distribution.given.shape}"
            )
        self.mixture_distribution, self.component_distribution, self._normal = mixture_distribution, component, normal
        self.event_dim, self.batch_shape = component.event_dim, component.batch_shape[:-1]
        self._log_prob = MixtureLogProb()
        self._logits = mixture_distribution.normalized() if mixture_distribution.from_probs else None

    @property
    def mean(self) -> np.ndarray:
        """The mean: the components' means, each with its share."""
        return self._over_components(self.component_distribution.mean)

    @property
    def variance(self) -> np.ndarray:
        """The variance: the mean of the components' variances, and the variance of their means."""
        apart = self.component_distribution.mean - np.expand_dims(self.mean, -1 - self.event_dim)
        return self._over_components(self.component_distribution.variance + apart**2)

    @property
    def stddev(self) -> np.ndarray:
        """The square root of the variance."""
        return np.asarray(np.sqrt(self.variance))

    def _over_components(self, numbers: np.ndarray) -> np.ndarray:
        probs = self.mixture_distribution.probs
        return np.asarray((probs.reshape(*probs.shape, *[1] * self.event_dim) * numbers).sum(axis=-1 - self.event_dim))

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the mixture's density at each value."""
        arrays = value, *self._normal.given
        value, loc, scale = arrays if self.event_dim else [array[..., None] for array in arrays]
        given = self.mixture_distribution.given
        logits = given if self._logits is None else self._logits(given)[0]
        return self._log_prob(value, logits, loc, scale)

    def log_prob_backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the gradients of value, of the logits or probs that were given, of loc and of scale."""
        grad_value, grad_logits, grad_loc, grad_scale = self._log_prob.backward(grad_output)
        if self._logits is not None:
            grad_logits = self._logits.backward(grad_logits, None)
        if self.event_dim:
            return grad_value, grad_logits, grad_loc, grad_scale
        return grad_value[..., 0], grad_logits, grad_loc[..., 0], grad_scale[..., 0]

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw a component for each value, then numbers of all components, and keep those of the drawn one."""
        drawn = self.mixture_distribution.sample(sample_shape)
        numbers = self.component_distribution.sample(sample_shape)
        axis = numbers.ndim - 1 - self.event_dim
        index = drawn.reshape(*drawn.shape, *[1] * (1 + self.event_dim))
        return np.take_along_axis(numbers, index, axis=axis).squeeze(axis)
