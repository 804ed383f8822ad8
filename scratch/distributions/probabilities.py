r"""Probabilities and their logarithms: what a categorical distribution is, whether logits or probs are given.

    A  possibilities, numbered k    logits  (..., A)  logarithms of the probabilities, but for a constant in each row
    a  (...)  what was drawn        probs   (..., A)  the probabilities, but for a factor in each row
    y  output                       p, logp (..., A)  the probabilities, and their logarithms

of_logits
    F1  z = logits - max_k logits                   (..., A)  leaves F2 as it is, and no exponential can overflow
    F2  logp = z - log sum_k exp z                  (..., A)  log softmax
    F3  p = exp(logp)                               (..., A)

    B3  grad_logp = grad_logp_next + grad_p p       (..., A)  F3: logp is used twice, and exp is its own derivative
    B2  grad_z = grad_logp - p sum_k grad_logp      (..., A)  F2: every logit is in its row's sum of exponentials
    B1  grad_logits = grad_z                        (..., A)  F1: a row of grad_z sums to 0: the path by max adds 0

of_probs
    F1  total = sum_k probs                         (..., 1)
    F2  p = probs / total                           (..., A)
    F3  logp = log(min(max(p, EPS), 1 - EPS))       (..., A)  the logarithm of 0 would be minus infinity

    B3  grad_p = grad_p_next + grad_logp / p
                   within [EPS, 1 - EPS]            (..., A)  F3: p is used twice; beyond the limits logp is constant
    B2  grad_total = -sum_k grad_p p / total        (..., 1)  F2: a quotient, by its divisor; a broadcast becomes a sum
    B1  grad_probs = grad_p / total + grad_total    (..., A)  F2 by its numerator, and F1: a sum becomes a broadcast

chosen
    F1  drawn = (k == a)                            (..., A)  one-hot; broadcast, if several were drawn
    F2  y = sum_k logp where drawn                  (...)     gather: one number of each row is read

    B2  grad_logp = sum of grad_y where drawn,
                    else 0                          (..., A)  F2: a gather becomes a scatter; a broadcast becomes a sum

uncertainty: the entropy
    F1  y = -sum_k p logp                           (...)
    B1a grad_logp = -grad_y p                       (..., A)  F1: a product, by each factor
    B1b grad_p = -grad_y logp                       (..., A)

What comes from later uses of an output is called ``_next``.

PyTorch's counterparts: ``logits_to_probs`` and ``probs_to_logits`` of ``torch.distributions.utils``, whose EPS is that
of the dtype, too.
"""

import numpy as np

from scratch.checks import check_array, check_integers, name_of
from scratch.distributions.method import Method
from scratch.vjp import unbroadcast

EPS = {np.dtype(name): np.finfo(name).eps for name in (np.float32, np.float64)}


def of_logits(logits: np.ndarray) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the logarithms of the probabilities, and the probabilities."""
    z = logits - logits.max(axis=-1, keepdims=True)  # F1 (..., A)
    logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))  # F2 (..., A)
    p = np.exp(logp)  # F3 (..., A)
    return logp, (p,), p


def of_logits_backward(grad_logp_next: np.ndarray, grad_p: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `of_logits`."""
    (p,) = saved
    grad_logp = grad_logp_next + grad_p * p  # B3 (..., A)
    grad_z = grad_logp - p * grad_logp.sum(axis=-1, keepdims=True)  # B2 (..., A)
    grad_logits = grad_z  # B1 (..., A)
    return grad_logits


def of_probs(probs: np.ndarray) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the logarithms of the probabilities, and the probabilities."""
    total = probs.sum(axis=-1, keepdims=True)  # F1 (..., 1)
    p = probs / total  # F2 (..., A)
    logp = np.log(np.clip(p, EPS[p.dtype], 1 - EPS[p.dtype]))  # F3 (..., A)
    return logp, (total, p), p


def of_probs_backward(grad_logp: np.ndarray, grad_p_next: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `of_probs`."""
    total, p = saved
    grad_p = grad_p_next + np.where((p >= EPS[p.dtype]) & (p <= 1 - EPS[p.dtype]), grad_logp / p, 0)  # B3 (..., A)
    grad_total = -(grad_p * p).sum(axis=-1, keepdims=True) / total  # B2 (..., 1)
    grad_probs = grad_p / total + grad_total  # B1 (..., A)
    return grad_probs


def chosen(logp: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the probability of each action."""
    drawn = np.arange(logp.shape[-1]) == action[..., None]  # F1 (..., A)
    y = np.where(drawn, logp, 0).sum(axis=-1)  # F2 (...)
    return y, (drawn, logp.shape)


def chosen_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `chosen`."""
    drawn, of_logp = saved
    grad_logp = unbroadcast(np.where(drawn, grad_y[..., None], 0), of_logp)  # B2 (..., A)
    return grad_logp


def uncertainty(logp: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the entropy of each distribution, in nats."""
    y = -(p * logp).sum(axis=-1)  # F1 (...)
    return y, (logp, p)


def uncertainty_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `uncertainty`."""
    logp, p = saved
    grad_logp = -grad_y[..., None] * p  # B1a (..., A)
    grad_p = -grad_y[..., None] * logp  # B1b (..., A)
    return grad_logp, grad_p


class NormalizedLogits(Method):
    """`of_logits`; backward takes the gradients of the logarithms and of the probabilities, or None."""

    functions = of_logits, of_logits_backward
    names = ("logits",)
    outputs = 2


class NormalizedProbs(Method):
    """`of_probs`; backward takes the gradients of the logarithms and of the probabilities, or None."""

    functions = of_probs, of_probs_backward
    names = ("probs",)
    outputs = 2


class Chosen(Method):
    """`chosen`, of logarithms of probabilities and actions; backward returns the gradient of the logarithms."""

    functions = chosen, chosen_backward
    names = "logp", "action"
    inputs = 2

    def check_arrays(self, *arrays: np.ndarray) -> None:
        """Raise unless these are rows of logarithms and the actions that were drawn."""
        check_drawn(self, self.names, arrays)


class Uncertainty(Method):
    """`uncertainty`, of logarithms of probabilities and the probabilities; backward returns the gradients of both."""

    functions = uncertainty, uncertainty_backward
    names = "logp", "p"
    inputs = grad_inputs = 2


class LogProbOfProbs:
    """The logarithm of the probability of an action, given probs: `of_probs`, then `chosen`."""

    def __init__(self) -> None:
        self.normalized, self.chosen = NormalizedProbs(), Chosen()

    def __call__(self, probs: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Return the logarithm of the probability of each action."""
        return self.chosen(self.normalized(probs)[0], action)

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        """Return the gradient of probs."""
        return self.normalized.backward(self.chosen.backward(grad_y), None)


class EntropyOfProbs:
    """The entropy, given probs: `of_probs`, then `uncertainty`."""

    def __init__(self) -> None:
        self.normalized, self.uncertainty = NormalizedProbs(), Uncertainty()

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Return the entropy of each row."""
        return self.uncertainty(*self.normalized(probs))

    def backward(self, grad_y: np.ndarray) -> np.ndarray:
        """Return the gradient of probs."""
        return self.normalized.backward(*self.uncertainty.backward(grad_y))


def check_rows(owner: object, array: np.ndarray, name: str) -> None:
    """Raise unless logits or probs are a float array with a last axis of possibilities."""
    check_array(owner, array, name)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name_of(owner)}: expected {name} of shape (..., A), A of 1 or more, got {array.shape}")


def check_probs(owner: object, probs: np.ndarray) -> None:
    """Raise ``ValueError`` unless all of probs are 0 or more, and each row has a finite sum of more than 0."""
    if not (probs >= 0).all():
        raise ValueError(f"{name_of(owner)}: expected probs of 0 or more, got {probs[~(probs >= 0)][0]}")
    totals = probs.sum(axis=-1)
    if not ((totals > 0) & (totals < np.inf)).all():
        raise ValueError(f"{name_of(owner)}: expected probs with a finite sum of more than 0 in each row")


def check_drawn(owner: object, names: tuple[str, ...], arrays: tuple) -> None:
    """Raise unless the arrays are rows, and actions from 0 to A - 1, of a shape that broadcasts with the rows'."""
    rows, action = arrays
    check_rows(owner, rows, names[0])
    check_integers(owner, action, names[1])
    *batch, count = rows.shape
    try:
        np.broadcast_shapes(action.shape, batch)
    except ValueError:
        raise ValueError(
            f"{name_of(owner)}: expected action of a shape that broadcasts with {tuple(batch)}, got {action.shape}"
        ) from None
    if action.size and not 0 <= action.min() <= action.max() < count:
        raise ValueError(
            f"{name_of(owner)}: expected actions from 0 to {count - 1}, got {action.min()} to {action.max()}"
        )
