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

PyTorch's counterpart: ``torch.distributions.Categorical``. Left out: ``probs=``.
"""

from typing import Any

import numpy as np

from scratch import random
from scratch.checks import check_array, check_integers, name_of
from scratch.dispatch import quiet
from scratch.distributions.method import Method, Shape
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
    p = (e / e.sum(axis=-1, keepdims=True)).reshape(-1, logits.shape[-1])
    count = int(np.prod(sample_shape))
    if count == 1:
        times = -np.log1p(-random.rand(*p.shape, dtype=np.float64)).astype(p.dtype)
        drawn = (p / times).argmax(axis=1)[None]
    else:
        ends = np.cumsum(p, axis=1)
        ends /= ends[:, -1:]
        uniform = random.rand(len(p), count, dtype=np.float64)
        drawn = np.array([np.searchsorted(*row) for row in zip(ends, uniform, strict=True)]).reshape(len(p), count).T
    return drawn.reshape((*sample_shape, *logits.shape[:-1])).astype(np.int64)


class CategoricalLogProb(Method):
    """`log_prob` of logits and actions; backward returns the logits' gradient."""

    functions = log_prob, log_prob_backward
    inputs = 2

    def forward(self, logits: np.ndarray, action: np.ndarray) -> Any:  # type: ignore[override]
        """Check the arrays and call the function."""
        check_logits(self, logits)
        check_integers(self, action, "action")
        try:
            np.broadcast_shapes(action.shape, logits.shape[:-1])
        except ValueError:
            raise ValueError(
                f"{name_of(self)}: expected action of a shape that broadcasts with {logits.shape[:-1]}, "
                f"got {action.shape}"
            ) from None
        if action.size and not 0 <= action.min() <= action.max() < logits.shape[-1]:
            raise ValueError(
                f"{name_of(self)}: expected actions from 0 to {logits.shape[-1] - 1}, "
                f"got {action.min()} to {action.max()}"
            )
        return self.run(self.functions, logits, action)[0]


class CategoricalEntropy(Method):
    """`entropy` of logits."""

    functions = entropy, entropy_backward

    def forward(self, logits: np.ndarray) -> Any:  # type: ignore[override]
        """Check the logits and call the function."""
        check_logits(self, logits)
        return self.run(self.functions, logits)[0]


def check_logits(owner: object, logits: np.ndarray) -> None:
    """Raise unless the logits are a float array with a last axis of possibilities."""
    check_array(owner, logits, "logits")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"{name_of(owner)}: expected logits of shape (..., A), A of 1 or more, got {logits.shape}")


class Categorical:
    """A choice among A possibilities.

    Parameters
    ----------
    logits : numpy.ndarray of shape (..., A)
        Scores: logarithms of the probabilities, but for a constant in each row.

    Raises
    ------
    ValueError
        If the logits have no axis, or an empty last one.

    Examples
    --------
    >>> policy = Categorical(logits=np.log([[1.0, 3.0], [2.0, 2.0]]))
    >>> np.exp(policy.log_prob(np.array([1, 0])))
    array([0.75, 0.5 ])
    >>> policy.log_prob_backward(np.array([4.0, 2.0]))
    array([[-1.,  1.],
           [ 1., -1.]])
    """

    event_dim = 0

    def __init__(self, *, logits: np.ndarray) -> None:
        check_logits(self, logits)
        self.logits, self.batch_shape = logits, logits.shape[:-1]
        self._log_prob, self._entropy = CategoricalLogProb(), CategoricalEntropy()

    def log_prob(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability of each action."""
        return self._log_prob(self.logits, value)

    def log_prob_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of the logits."""
        return self._log_prob.backward(grad_output)

    def entropy(self) -> np.ndarray:
        """Return the entropy of each distribution, in nats."""
        return self._entropy(self.logits)

    def entropy_backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient of the logits."""
        return self._entropy.backward(grad_output)

    def sample(self, sample_shape: Shape = ()) -> np.ndarray:
        """Draw actions, of shape ``sample_shape`` and then that of the batch, as int64."""
        return sample(self.logits, sample_shape)
