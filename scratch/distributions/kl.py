r"""The Kullback-Leibler divergence KL(p || q): how many nats q wastes by describing what is drawn from p.

    KL(p || q) = E_p[log p(v) - log q(v)],    0 or more, and 0 only where p and q are equal

It keeps a posterior near its prior (a VAE, a world model), and a new policy near the old one (TRPO, PPO).

normal: of two normal distributions, with means m_p, m_q and standard deviations s_p, s_q, broadcast to (...)
    F1  ratio = s_p / s_q                            (...)
    F2  shift = (m_p - m_q) / s_q                    (...)
    F3  y = (ratio^2 + shift^2 - 1) / 2 - log ratio  (...)    E_p of the difference of the two log-densities

    B3a grad_ratio = grad_y (ratio - 1 / ratio)      (...)    F3: the square's slope, halved, and that of log
    B3b grad_shift = grad_y shift                    (...)    F3: the square's slope, halved
    B2a grad_p_loc = sum grad_shift / s_q            (m_p)    F2: a quotient, by its numerator
    B2b grad_q_loc = -sum grad_shift / s_q           (m_q)    F2: likewise, with a sign
    B1a grad_p_scale = sum grad_ratio / s_q          (s_p)    F1: a quotient, by its numerator
    B1b grad_q_scale = -sum (grad_ratio ratio
                       + grad_shift shift) / s_q     (s_q)    F1 and F2: s_q is the divisor of both

categorical: of two categorical distributions, with probabilities p, q and their logarithms, broadcast to (..., A)
    F1  both = p > 0 and q > 0                       (..., A)
    F2  gap = p_log - q_log where both, else 0       (..., A) what p never draws adds nothing, whatever q says
    F3  never = inf where p > 0 and q = 0, else 0    (..., A) what q calls impossible costs everything
    F4  y = sum_k (p gap + never)                    (...)

    B4a grad_p = sum grad_y gap                      (p)      F4: a product, by one factor. `never` is a constant
    B4b grad_gap = grad_y p                          (..., A) F4: and by the other
    B2a grad_p_log = sum of grad_gap where both      (p)      F2: a broadcast becomes a sum
    B2b grad_q_log = -sum of grad_gap where both     (q)      F2: likewise, with a sign

Where p never draws an action, its gradient is 0; PyTorch's is NaN if the logit is minus infinity.

A Bernoulli distribution is a categorical one of two classes, 1 and 0, with the probabilities p and 1 - p; with the
logit x their logarithms are log s(x) and log s(-x), s being the sigmoid. So the divergence of two is `categorical`.

Source: Kullback and Leibler, "On Information and Sufficiency", 1951; Kingma and Welling, "Auto-Encoding Variational
Bayes", 2014, appendix B. PyTorch's counterpart: ``torch.distributions.kl_divergence``. Left out: other distributions,
and ``register_kl``.
"""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from scratch.distributions.bernoulli import Bernoulli, BernoulliLogits
from scratch.distributions.categorical import Categorical
from scratch.distributions.method import Method, spread_event, sum_event
from scratch.distributions.normal import Independent, Normal
from scratch.nn.log_sigmoid import LogSigmoid
from scratch.nn.sigmoid import Sigmoid
from scratch.vjp import unbroadcast

Distribution = Normal | Categorical | Bernoulli | Independent


def normal(p_loc: np.ndarray, p_scale: np.ndarray, q_loc: np.ndarray, q_scale: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the divergence of normal distributions."""
    ratio = p_scale / q_scale  # F1 (...)
    shift = (p_loc - q_loc) / q_scale  # F2 (...)
    y = (ratio**2 + shift**2 - 1) / 2 - np.log(ratio)  # F3 (...)
    return y, (ratio, shift, q_scale, p_loc.shape, p_scale.shape, q_loc.shape)


def normal_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Undo `normal`."""
    ratio, shift, q_scale, of_p_loc, of_p_scale, of_q_loc = saved
    grad_ratio = grad_y * (ratio - 1 / ratio)  # B3a (...)
    grad_shift = grad_y * shift  # B3b (...)
    grad_p_loc = unbroadcast(grad_shift / q_scale, of_p_loc)  # B2a (m_p)
    grad_q_loc = -unbroadcast(grad_shift / q_scale, of_q_loc)  # B2b (m_q)
    grad_p_scale = unbroadcast(grad_ratio / q_scale, of_p_scale)  # B1a (s_p)
    grad_q_scale = -unbroadcast((grad_ratio * ratio + grad_shift * shift) / q_scale, q_scale.shape)  # B1b (s_q)
    return grad_p_loc, grad_p_scale, grad_q_loc, grad_q_scale


def categorical(p_log: np.ndarray, p: np.ndarray, q_log: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the divergence of categorical distributions."""
    both = (p > 0) & (q > 0)  # F1 (..., A)
    gap = np.where(both, p_log - q_log, 0)  # F2 (..., A)
    never = np.where((p > 0) & (q == 0), np.inf, 0).astype(p.dtype)  # F3 (..., A)
    y = (p * gap + never).sum(axis=-1)  # F4 (...)
    return y, (both, gap, p, q_log.shape)


def categorical_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `categorical`; whether q is 0 has no gradient."""
    both, gap, p, of_q = saved
    grad_p = unbroadcast(grad_y[..., None] * gap, p.shape)  # B4a (p)
    grad_gap = grad_y[..., None] * p  # B4b (..., A)
    grad_p_log = unbroadcast(np.where(both, grad_gap, 0), p.shape)  # B2a (p)
    grad_q_log = -unbroadcast(np.where(both, grad_gap, 0), of_q)  # B2b (q)
    return grad_p_log, grad_p, grad_q_log


class NormalKL(Method):
    """`normal` of p's loc and scale and q's; backward returns the gradients of all four."""

    functions = normal, normal_backward
    names = "p_loc", "p_scale", "q_loc", "q_scale"
    inputs = grad_inputs = 4


class CategoricalKL(Method):
    """`categorical` of p's logarithms and probabilities and q's; backward returns the gradients of the first three."""

    functions = categorical, categorical_backward
    names = "p_log", "p", "q_log", "q"
    inputs, grad_inputs = 4, 3


class TwoClasses:
    """A `Bernoulli` as a categorical distribution: from logits or probs to the logarithms and probabilities."""

    def __init__(self, of: Bernoulli) -> None:
        self.from_probs = of.from_probs
        self.other = BernoulliLogits() if of.from_probs else Sigmoid()
        self.log_one, self.log_zero = LogSigmoid(), LogSigmoid()

    def __call__(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithms and the probabilities of 1 and of 0, along a last axis."""
        other = self.other(given)
        x, p = (other, given) if self.from_probs else (given, other)
        return np.stack([self.log_one(x), self.log_zero(np.asarray(-x))], axis=-1), np.stack([p, 1 - p], axis=-1)

    def backward(self, grad_log: np.ndarray, grad_probs: np.ndarray | None) -> np.ndarray:
        """Return the gradient of what was given: it and `other` are used for each class, so four are added."""
        grad_x = self.log_one.backward(grad_log[..., 0]) - self.log_zero.backward(grad_log[..., 1])
        grad_p = np.zeros_like(grad_x) if grad_probs is None else grad_probs[..., 0] - grad_probs[..., 1]
        grad_given, grad_other = (grad_p, grad_x) if self.from_probs else (grad_x, grad_p)
        return np.asarray(grad_given + self.other.backward(np.asarray(grad_other)))


class OfClasses:
    """The divergence of two `Categorical` or `Bernoulli`: the steps from logits or probs, and `categorical`."""

    def __init__(self, p: Any, q: Any) -> None:
        self.divergence = CategoricalKL()
        self.p, self.q = (TwoClasses(one) if isinstance(one, Bernoulli) else one.normalized() for one in (p, q))

    def __call__(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Return the divergence, of what was given to p and to q."""
        return self.divergence(*self.p(p), *self.q(q))

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient of what was given to p, and of what was given to q."""
        grad_p_log, grad_p, grad_q_log = self.divergence.backward(grad_output)
        return self.p.backward(grad_p_log, grad_p), self.q.backward(grad_q_log, None)


class Divergences:
    """`kl_divergence`, and what it keeps for `kl_divergence_backward`: for as long as both distributions are there."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Any, WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()

    def __call__(self, p: Distribution, q: Distribution) -> np.ndarray:
        """Return KL(p || q), in nats, for each distribution of two batches that are broadcast together.

        Parameters
        ----------
        p, q : Normal, Categorical, Bernoulli or Independent
            Two of one kind.

        Raises
        ------
        NotImplementedError
            For other distributions, or two of different kinds.

        Examples
        --------
        >>> posterior, prior = Normal(np.array([1.0, 0.0]), np.array([2.0, 1.0])), Normal(np.zeros(1), np.ones(1))
        >>> kl_divergence(posterior, prior).round(4)
        array([1.3069, 0.    ])
        >>> grad_loc, grad_scale, _, _ = kl_divergence_backward(np.array([1.0, 1.0]), posterior, prior)
        >>> grad_loc, grad_scale
        (array([1., 0.]), array([1.5, 0. ]))
        """
        if isinstance(p, Independent) and isinstance(q, Independent) and p.event_dim == q.event_dim:
            return sum_event(self(p.base_dist, q.base_dist), p.event_dim)
        of_p = self._kept.setdefault(p, WeakKeyDictionary())
        if isinstance(p, Normal) and isinstance(q, Normal):
            return of_p.setdefault(q, NormalKL())(*p.given, *q.given)
        for kind in (Categorical, Bernoulli):
            if isinstance(p, kind) and isinstance(q, kind):
                return of_p.setdefault(q, OfClasses(p, q))(p.given, q.given)
        raise NotImplementedError(
            "kl_divergence: expected two Normal, Categorical or Bernoulli, or two Independent of these with as many "
            f"axes each, got {type(p).__name__} and {type(q).__name__}"
        )

    def backward(self, grad_output: np.ndarray, p: Distribution, q: Distribution) -> tuple[np.ndarray, ...]:
        """Undo `kl_divergence` of the same two distributions.

        Returns
        -------
        tuple of numpy.ndarray
            Of two `Normal`, the gradients of p's loc and scale, and of q's loc and scale. Of two `Categorical` or
            `Bernoulli`, those of what was given to p and to q, logits or probs.

        Raises
        ------
        RuntimeError
            If no `kl_divergence` of these two is left to undo.
        """
        if isinstance(p, Independent) and isinstance(q, Independent):
            shape = np.broadcast_shapes(p.base_dist.batch_shape, q.base_dist.batch_shape)
            return self.backward(spread_event(grad_output, shape, p.event_dim), p.base_dist, q.base_dist)
        of_p = self._kept.get(p)
        steps = None if of_p is None else of_p.get(q)
        if steps is None:
            raise RuntimeError("kl_divergence_backward: expected kl_divergence of the same two distributions before it")
        return steps.backward(grad_output)


kl_divergence = Divergences()
kl_divergence_backward = kl_divergence.backward
