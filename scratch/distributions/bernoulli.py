r"""The Bernoulli distribution: yes or no, 1 or 0; a policy of switches, a pixel of a picture in black and white.

    p  (...)  probability of a 1               s  (...)  sigmoid of the logit, s(x) = 1 / (1 + exp(-x))
    x  (...)  its logit, log p - log(1 - p)    y  (...)  output

log_prob is minus the binary cross-entropy of the logit and the value: see `scratch.nn.binary_cross_entropy`.

logits_of
    F1  inner = min(max(p, EPS), 1 - EPS)          (...)   the logit of 0 would be minus infinity
    F2  x = log inner - log(1 - inner)             (...)

    B1  grad_p = grad_x / (p (1 - p)) within
                 [EPS, 1 - EPS], else 0            (...)   F2: 1 / p + 1 / (1 - p); F1: beyond the limits x is constant

entropy, of the logit and the probability, whichever of them was computed from the other
    F1  both = log(1 + exp(-|x|)) + max(x, 0)      (...)   log(1 + exp x), minus log(1 - p); nothing overflows
    F2  y = both - p x                             (...)   -p log p - (1 - p) log(1 - p), with log p = x + log(1 - p)

    B1  grad_x = grad_y (s(x) - p)                 (...)   F2 and F1: the slope of F1 is s(x)
    B2  grad_p = -grad_y x                         (...)   F2: the other factor

PyTorch's counterpart: ``torch.distributions.Bernoulli``; the draws agree with its draws bit for bit, and EPS is that of
the dtype, as there. Left out: ``validate_args`` (what is checked here is always checked).
"""

from functools import cached_property
from typing import Any

import numpy as np

from scratch import random
from scratch.checks import check_array, check_dtype
from scratch.distributions.method import Method, Shape, as_arrays, check_broadcast, check_either
from scratch.distributions.probabilities import EPS
from scratch.grad_mode import no_grad
from scratch.nn.binary_cross_entropy import BCEWithLogitsLoss
from scratch.nn.sigmoid import Sigmoid
from scratch.vjp import unbroadcast


def logits_of(p: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logit of each probability."""
    inner = np.clip(p, EPS[p.dtype], 1 - EPS[p.dtype])  # F1 (...)
    x = np.log(inner) - np.log1p(-inner)  # F2 (...)
    return x, (p,)


def logits_of_backward(grad_x: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `logits_of`."""
    (p,) = saved
    grad_p = np.where((p >= EPS[p.dtype]) & (p <= 1 - EPS[p.dtype]), grad_x / (p * (1 - p)), 0)  # B1 (...)
    return grad_p


def entropy(x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the entropy of each distribution, in nats."""
    both = np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)  # F1 (...)
    y = both - p * x  # F2 (...)
    return y, (x, p)


def entropy_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `entropy`."""
    x, p = saved
    grad_p = -grad_y * x  # B2 (...)
    grad_x = grad_y * (1 / (1 + np.exp(-x)) - p)  # B1 (...)
    return grad_x, grad_p


class BernoulliLogits(Method):
    """`logits_of` probabilities."""

    functions = logits_of, logits_of_backward
    names = ("p",)


class BernoulliEntropy(Method):
    """`entropy` of logits and probabilities; backward returns the gradients of both."""

    functions = entropy, entropy_backward
    names = "x", "p"
    inputs = grad_inputs = 2


class BernoulliLogProb(BCEWithLogitsLoss):
    """Minus the binary cross-entropy of logits and values, one by one."""

    def __init__(self) -> None:
        super().__init__(reduction="none")

    def forward(self, x: np.ndarray, target: np.ndarray) -> Any:  # type: ignore[override]
        """Return the logarithm of the probability of each value."""
        return np.asarray(-super().forward(x, target))

    def backward(self, grad_output: Any = 1.0) -> Any:
        """Return the gradient of the logits."""
        return -super().backward(grad_output)


class Bernoulli:
    """Independent choices between 1 and 0.

    Parameters
    ----------
    probs : numpy.ndarray or float, optional
        Probability of a 1. A number is float32.
    logits : numpy.ndarray or float, optional
        Its logit. One of the two must be given.

    Attributes
    ----------
    given : numpy.ndarray
        ``probs`` or ``logits``, as it was given. It is this array whose gradient the backwards return.
    probs, logits : numpy.ndarray of shape ``batch_shape``
        As in PyTorch, both, whichever was given.

    Raises
    ------
    ValueError
        If both are given, or none, or if probs are outside [0, 1].

    Examples
    --------
    >>> switch = Bernoulli(np.array([0.5, 0.75]))
    >>> np.exp(switch.log_prob(np.array([0.0, 1.0])))
    array([0.5 , 0.75])
    >>> switch.log_prob_backward(np.array([1.0, 3.0]))
    array([-2.,  4.])
    """

    event_dim = 0

    def __init__(self, probs: np.ndarray | float | None = None, logits: np.ndarray | float | None = None) -> None:
        given, self.from_probs = check_either(self, probs, logits)
        (self.given,) = as_arrays(given)
        check_array(self, self.given, "probs" if self.from_probs else "logits")
        if self.from_probs:
            inside = (self.given >= 0) & (self.given <= 1)
            if not inside.all():
                raise ValueError(f"Bernoulli: expected probs within [0, 1], got {self.given[~inside][0]}")
        self.batch_shape = self.given.shape
        # The way from what was given to the other of the two, once for each method.
        other = BernoulliLogits if self.from_probs else Sigmoid
        self._of_log_prob, self._of_entropy = other(), other()
        self._log_prob, self._entropy = BernoulliLogProb(), BernoulliEntropy()

    @cached_property
    def _other(self) -> np.ndarray:
        with no_grad():
            return self._of_entropy(self.given)

    @property
    def probs(self) -> np.ndarray:
        """The probability of a 1."""
        return self.given if self.from_probs else self._other

    @property
    def logits(self) -> np.ndarray:
        """The logit of that probability."""
        return self._other if self.from_probs else self.given

    @property
    def mean(self) -> np.ndarray:
        """The mean: the probability of a 1."""
        return self.probs

    @property
    def mode(self) -> np.ndarray:
        """The likelier value; NaN where both are as likely."""
        return np.where(self.probs == 0.5, np.nan, self.probs > 0.5).astype(self.given.dtype)

    @property
    def variance(self) -> np.ndarray:
        """The variance, p (1 - p)."""
        return np.asarray(self.probs * (1 - self.probs))

    @property
    def stddev(self) -> np.ndarray:
        """The square root of the variance."""
        return np.asarray(np.sqrt(self.variance))

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability of each value, 1.0 or 0.0."""
        check_dtype(self, value, self.given.dtype, "value")
        check_broadcast(self, ("value", "the batch"), (value, self.given))
        inside = (value == 0) | (value == 1)
        if not inside.all():
            raise ValueError(f"Bernoulli: expected values of 0 or 1, got {value[~inside][0]}")
        logits = self._of_log_prob(self.given) if self.from_probs else self.given
        shape = np.broadcast_shapes(logits.shape, value.shape)
        return self._log_prob(np.broadcast_to(logits, shape), np.broadcast_to(value, shape))

    def log_prob_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of ``given``; a value has none."""
        grad_logits = unbroadcast(self._log_prob.backward(grad_output), self.batch_shape)
        return self._of_log_prob.backward(grad_logits) if self.from_probs else grad_logits

    def entropy(self) -> np.ndarray:
        """Return the entropy of each distribution, in nats."""
        other = self._of_entropy(self.given)
        return self._entropy(*((other, self.given) if self.from_probs else (self.given, other)))

    def entropy_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of ``given``."""
        grad_logits, grad_probs = self._entropy.backward(grad_output)
        if self.from_probs:
            return grad_probs + self._of_entropy.backward(grad_logits)
        return grad_logits + self._of_entropy.backward(grad_probs)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw 1.0 or 0.0 from each distribution, for each place of ``sample_shape``."""
        uniform = random.rand(*sample_shape, *self.batch_shape, dtype=self.given.dtype)
        return (uniform < self.probs).astype(self.given.dtype)
