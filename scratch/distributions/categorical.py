r"""The categorical distribution: one of A possibilities, each with its own probability; a policy draws actions from it.

    A  possibilities, numbered k     logits  (..., A)  scores, the logarithms of the probabilities but for a constant
    a  (...)  what was drawn         y       (...)     output

log_prob
    F1  z = logits - max_k logits                   (..., A)  leaves F2 as it is, and no exponential can overflow
    F2  logp = z - log sum_k exp z                  (..., A)  log softmax
    F3  drawn = (k == a)                            (..., A)  one-hot; broadcast, if several were drawn
    F4  y = sum_k logp where drawn                  (...)     gather: one number of each row is read

    B4  grad_logp = sum of grad_y where drawn,
                    else 0                          (..., A)  F4: a gather becomes a scatter; a broadcast becomes a sum
    B2  grad_z = grad_logp
                 - exp(logp) sum_k grad_logp        (..., A)  F2: every logit is in its row's sum of exponentials
    B1  grad_logits = grad_z                        (..., A)  F1: a row of grad_z sums to 0: the path by max adds 0

    Together grad_logits = grad_y (onehot(a) - p): what was drawn is made likelier, at the cost of all.

entropy
    F1  z = logits - max_k logits                   (..., A)  as above
    F2  logp = z - log sum_k exp z                  (..., A)
    F3  p = exp(logp)                               (..., A)
    F4  nats = max(logp, LOWEST)                    (..., A)  so that 0 log 0 is 0, where a logit is minus infinity
    F5  y = -sum_k p nats                           (...)

    B2  grad_z = -grad_y p (nats - sum_k p nats)    (..., A)  F5 to F2 in one; `scratch.policy_gradient` has the steps
    B1  grad_logits = grad_z                        (..., A)  F1: as above

A logit of minus infinity marks an action that is not allowed: its probability, its share of the entropy, and its
gradient are 0.

Drawing. A single one is drawn as in PyTorch, by a race: each k arrives after an exponentially distributed time divided
by p_k, and k is first with probability p_k. Several are drawn with a uniform number each, which falls into one of the
intervals that the cumulative probabilities divide [0, 1] into. (PyTorch on Intel's processors takes the times of the
race from another generator: the same probabilities, other numbers.)

Given probs instead of logits, the same is done by the functions of `scratch.distributions.probabilities`.

PyTorch's counterpart: ``torch.distributions.Categorical``. Left out: ``validate_args`` (what is checked here is always
checked), and ``mean`` and ``variance``, which are NaN in PyTorch.
"""

from functools import cached_property

import numpy as np

from scratch import random
from scratch.dispatch import quiet
from scratch.distributions.method import Method, Shape, check_either
from scratch.distributions.probabilities import (
    EntropyOfProbs,
    LogProbOfProbs,
    NormalizedLogits,
    NormalizedProbs,
    check_drawn,
    check_probs,
    check_rows,
)
from scratch.grad_mode import no_grad
from scratch.vjp import unbroadcast

LOWEST = {np.dtype(name): np.finfo(name).min for name in (np.float32, np.float64)}


def log_prob(logits: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the probability of each action."""
    z = logits - logits.max(axis=-1, keepdims=True)  # F1 (..., A)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))  # F2 (..., A)
    drawn = np.arange(logits.shape[-1]) == action[..., None]  # F3 (..., A)
    y = np.where(drawn, logp, 0).sum(axis=-1)  # F4 (...)
    return y, (logp, drawn)


def log_prob_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `log_prob`."""
    logp, drawn = saved
    grad_logp = unbroadcast(np.where(drawn, grad_y[..., None], 0), logp.shape)  # B4 (..., A)
    grad_z = grad_logp - np.exp(logp) * grad_logp.sum(axis=-1, keepdims=True)  # B2 (..., A)
    grad_logits = grad_z  # B1 (..., A)
    return grad_logits


def entropy(logits: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the entropy of each distribution, in nats."""
    z = logits - logits.max(axis=-1, keepdims=True)  # F1 (..., A)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))  # F2 (..., A)
    p = np.exp(logp)  # F3 (..., A)
    nats = np.maximum(logp, LOWEST[logp.dtype])  # F4 (..., A)
    y = -(p * nats).sum(axis=-1)  # F5 (...)
    return y, (p, nats)


def entropy_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `entropy`."""
    p, nats = saved
    grad_z = -grad_y[..., None] * p * (nats - (p * nats).sum(axis=-1, keepdims=True))  # B2 (..., A)
    grad_logits = grad_z  # B1 (..., A)
    return grad_logits


@quiet
def sample(logits: np.ndarray, sample_shape: Shape = ()) -> np.ndarray:
    """Draw actions, of shape ``sample_shape`` and then that of the batch, as int64."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return draw(e / e.sum(axis=-1, keepdims=True), sample_shape)


@quiet
def draw(probs: np.ndarray, sample_shape: Shape) -> np.ndarray:
    """Draw actions with probabilities that add up to 1 in each row."""
    p = probs.reshape(-1, probs.shape[-1])
    count = int(np.prod(sample_shape))
    if count == 1:
        times = -np.log1p(-random.rand(*p.shape, dtype=np.float64)).astype(p.dtype)
        drawn = (p / times).argmax(axis=1)[None]
    else:
        ends = np.cumsum(p, axis=1)
        ends /= ends[:, -1:]
        uniform = random.rand(len(p), count, dtype=np.float64)
        drawn = np.array([np.searchsorted(*row) for row in zip(ends, uniform, strict=True)]).reshape(len(p), count).T
    return drawn.reshape((*sample_shape, *probs.shape[:-1])).astype(np.int64)


class CategoricalLogProb(Method):
    """`log_prob` of logits and actions; backward returns the logits' gradient."""

    functions = log_prob, log_prob_backward
    names = "logits", "action"
    inputs = 2

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless these are rows of logits and the actions that were drawn."""
        check_drawn(self, self.names, arrays)


class CategoricalEntropy(Method):
    """`entropy` of logits."""

    functions = entropy, entropy_backward
    names = ("logits",)

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless the logits are rows of possibilities."""
        check_rows(self, arrays[0], "logits")


class Categorical:
    """A choice among A possibilities.

    Parameters
    ----------
    probs : numpy.ndarray of shape (..., A), optional
        Probabilities, but for a factor in each row.
    logits : numpy.ndarray of shape (..., A), optional
        Scores: logarithms of the probabilities, but for a constant in each row. One of the two must be given.

    Attributes
    ----------
    given : numpy.ndarray of shape (..., A)
        ``probs`` or ``logits``, as it was given. It is this array whose gradient the backwards return.
    probs, logits : numpy.ndarray of shape (..., A)
        As in PyTorch, the probabilities and their logarithms: whatever was given, a row of ``probs`` adds up to 1.

    Raises
    ------
    ValueError
        If both are given, or none; if they have no axis, or an empty last one; if probs are negative, or a row of them
        has no finite sum of more than 0.

    Examples
    --------
    >>> policy = Categorical(logits=np.array([[0.0, np.log(3.0)], [5.0, 5.0]]))
    >>> policy.probs
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    >>> np.exp(policy.log_prob(np.array([1, 0])))
    array([0.75, 0.5 ])
    >>> policy.log_prob_backward(np.array([4.0, 2.0]))
    array([[-1.,  1.],
           [ 1., -1.]])
    """

    event_dim = 0

    def __init__(self, probs: np.ndarray | None = None, logits: np.ndarray | None = None) -> None:
        self.given, self.from_probs = check_either(self, probs, logits)
        check_rows(self, self.given, "probs" if self.from_probs else "logits")
        if self.from_probs:
            check_probs(self, self.given)
        self.batch_shape = self.given.shape[:-1]
        self._log_prob = LogProbOfProbs() if self.from_probs else CategoricalLogProb()
        self._entropy = EntropyOfProbs() if self.from_probs else CategoricalEntropy()

    def normalized(self) -> NormalizedProbs | NormalizedLogits:
        """Return a method that maps ``given`` to the normalized logits and probs, and has a backward."""
        return NormalizedProbs() if self.from_probs else NormalizedLogits()

    @cached_property
    def _normalized(self) -> tuple[np.ndarray, np.ndarray]:
        with no_grad():
            return self.normalized()(self.given)

    @property
    def logits(self) -> np.ndarray:
        """The logarithms of the probabilities."""
        return self._normalized[0]

    @property
    def probs(self) -> np.ndarray:
        """The probabilities."""
        return self._normalized[1]

    @property
    def mode(self) -> np.ndarray:
        """The likeliest action of each row, as int64."""
        return np.asarray(self.given.argmax(axis=-1))

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability of each action."""
        return self._log_prob(self.given, value)

    def log_prob_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of ``given``."""
        return self._log_prob.backward(grad_output)

    def entropy(self) -> np.ndarray:
        """Return the entropy of each distribution, in nats."""
        return self._entropy(self.given)

    def entropy_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of ``given``."""
        return self._entropy.backward(grad_output)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw actions, of shape ``sample_shape`` and then that of the batch, as int64."""
        return draw(self.probs, sample_shape) if self.from_probs else sample(self.given, sample_shape)
