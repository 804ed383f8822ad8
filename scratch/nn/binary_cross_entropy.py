r"""Binary cross-entropy: minus the log-probability that a yes-or-no model gave to what happened.

    p  (...)  probability of "yes", the input of BCELoss          t  (...)  target in [0, 1]
    x  (...)  its logit, the input of BCEWithLogitsLoss           weight      broadcasts to (...), 1 if absent
    s(x) = 1 / (1 + exp(-x)), the sigmoid                         pos_weight  broadcasts to (...), 1 if absent
    n         number of elements                                  y  () or (...)  output

binary_cross_entropy
    F1  a = max(log p, -100)                          (...)
    F2  b = max(log(1 - p), -100)                     (...)   the floor keeps a sure and wrong p from an infinite loss
    F3  nats = -(1 - t) b - t a                       (...)
    F4  losses = nats weight                          (...)
    F5  y = reduce(losses, n)                         ()      mean: sum losses / n, whatever the weights

    B5  grad_losses = grad_y / n                      ()      F5: each element has the share 1 / n of the mean
    B4  grad_nats = grad_losses weight                (...)   F4: times the other factor
    B1  grad_p = grad_nats (p - t)
                 / max((1 - p) p, 1e-12)              (...)   F3, F2 and F1 in one: (1 - t) / (1 - p) - t / p, over a
                                                              common denominator

The floors of F1 and F2 are not differentiated (the gradient would be 0 just where the model is most wrong). Instead the
denominator of B1 has a floor of its own, so that at p = 0 and t = 1 the gradient is -1e12, finite. PyTorch does both.

binary_cross_entropy_with_logits: p = s(x), with the logarithms taken before anything is rounded to 0 or 1
    F1  e = exp(-|x|)                                 (...)   the exponent is never positive, so it never overflows
    F2  a = min(x, 0) - log(1 + e)                    (...)   log s(x); log(1 - s(x)) is a - x
    F3  k = 1 + (pos_weight - 1) t                    (...)
    F4  nats = (1 - t) x - k a                        (...)   -(1 - t) (a - x) - pos_weight t a
    F5  losses = nats weight                          (...)
    F6  y = reduce(losses, n)                         ()      mean: sum losses / n, whatever the weights

    B6  grad_losses = grad_y / n                      ()      F6: each element has the share 1 / n of the mean
    B5  grad_nats = grad_losses weight                (...)   F5: times the other factor
    B4  grad_x = grad_nats ((1 - t) s(x)
                 - pos_weight t s(-x))                (...)   F4, F2 and F1 in one. x is used twice, directly and via a,
                                                              and d log s(x) / dx = s(-x): (1 - t) - k s(-x). With k
                                                              and s(x) + s(-x) = 1 inserted, no digits are lost where
                                                              t is 0 or 1

With s(|x|) = 1 / (1 + e) and s(-|x|) = e / (1 + e), B4 needs no other exponential. Without pos_weight its bracket is
s(x) - t: the prediction minus the truth.

A ``pos_weight`` of 3 counts each "yes" three times, for a data set in which it is rare. Infinite logits give what F4
gives: NaN where infinity meets infinity, as in PyTorch.

PyTorch's counterparts: ``torch.nn.BCELoss``, ``torch.nn.BCEWithLogitsLoss``. Left out: the deprecated ``size_average``
and ``reduce``. Deliberate difference: target and weights have the input's dtype, where PyTorch promotes in places.
"""

from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype, name_of
from scratch.dispatch import Pair
from scratch.nn.reduction import Loss, check_pair, reduce, reduce_backward

# PyTorch's 1e-12 is a float32 for both dtypes, and a float64 gradient at p = 0 shows the difference.
FLOOR = float(np.float32(1e-12))


def binary_cross_entropy(
    p: np.ndarray, target: np.ndarray, weight: np.ndarray | float, reduction: str
) -> tuple[Any, tuple]:
    """Return the binary cross-entropy of probabilities, weighted and reduced."""
    a = np.maximum(np.log(p), -100)  # F1 (...)
    b = np.maximum(np.log1p(-p), -100)  # F2 (...)
    nats = (target - 1) * b - target * a  # F3 (...)
    losses = nats * weight  # F4 (...)
    y = reduce(losses, reduction, p.size)  # F5 ()
    return y, (p, target)


def binary_cross_entropy_backward(grad_y: Any, weight: np.ndarray | float, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `binary_cross_entropy`."""
    p, target = saved
    grad_losses = reduce_backward(grad_y, reduction, p.size)  # B5 ()
    grad_nats = grad_losses * weight  # B4 (...)
    grad_p = grad_nats * ((p - target) / np.maximum((1 - p) * p, FLOOR))  # B1 (...)
    return grad_p


def binary_cross_entropy_with_logits(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray | float, pos_weight: np.ndarray | float, reduction: str
) -> tuple[Any, tuple]:
    """Return the binary cross-entropy of logits, weighted and reduced."""
    e = np.exp(-np.abs(x))  # F1 (...)
    a = np.minimum(x, 0) - np.log1p(e)  # F2 (...)
    k = 1 + (pos_weight - 1) * target  # F3 (...)
    nats = (1 - target) * x - k * a  # F4 (...)
    losses = nats * weight  # F5 (...)
    y = reduce(losses, reduction, x.size)  # F6 ()
    return y, (x, target, e)


def binary_cross_entropy_with_logits_backward(
    grad_y: Any, weight: np.ndarray | float, pos_weight: np.ndarray | float, reduction: str, saved: tuple
) -> np.ndarray:
    """Undo `binary_cross_entropy_with_logits`."""
    x, target, e = saved
    grad_losses = reduce_backward(grad_y, reduction, x.size)  # B6 ()
    grad_nats = grad_losses * weight  # B5 (...)
    grad_x = (
        grad_nats * ((1 - target) * np.where(x < 0, e, 1) - pos_weight * target * np.where(x < 0, 1, e)) / (1 + e)
    )  # B4 (...)
    return grad_x


def check_weight(owner: object, name: str, weight: np.ndarray | None, x: np.ndarray) -> None:
    """Raise ``RuntimeError`` unless ``weight`` is absent, or has ``x``'s dtype and broadcasts to its shape."""
    if weight is None:
        return
    check_dtype(owner, weight, x.dtype, name)
    pairs = zip(reversed(weight.shape), reversed(x.shape), strict=False)
    if weight.ndim > x.ndim or any(size not in (1, own) for size, own in pairs):
        raise RuntimeError(
            f"{name_of(owner)}: expected {name} of a shape that broadcasts to the input's {x.shape}, got {weight.shape}"
        )


class BCELoss(Loss):
    """Binary cross-entropy of probabilities. Prefer `BCEWithLogitsLoss`, which sees the logits, for training.

    Parameters
    ----------
    weight : numpy.ndarray or None
        Factor of each element's loss, of a shape that broadcasts to the input's.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one. The mean divides by n, not by the weights' sum.

    Raises
    ------
    RuntimeError
        If an input or a target is outside [0, 1] or NaN, a dtype differs from the input's, or the weight does not fit.
    ValueError
        If input and target differ in shape.

    Examples
    --------
    >>> criterion = BCELoss()
    >>> float(criterion(np.array([0.5]), np.array([1.0])))
    0.6931471805599453
    >>> criterion.backward()
    array([-2.])
    """

    functions = binary_cross_entropy, binary_cross_entropy_backward
    inputs = 2
    weight: np.ndarray | None

    def __init__(self, weight: np.ndarray | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if weight is not None:
            check_array(self, weight, "weight")
        self.register_buffer("weight", weight)

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input, target and weight fit each other, and input and target are probabilities."""
        check_pair(self, x, target, ValueError)
        check_weight(self, "weight", self.weight, x)
        for name, array in (("input", x), ("target", target)):
            if not ((array >= 0) & (array <= 1)).all():
                raise RuntimeError(f"BCELoss: expected all elements of {name} within [0, 1]")

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``p``."""
        return self.functions, (target, 1.0 if self.weight is None else self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of logits, numerically stable however large they are.

    Parameters
    ----------
    weight : numpy.ndarray or None
        Factor of each element's loss, of a shape that broadcasts to the input's.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one. The mean divides by n, not by the weights' sum.
    pos_weight : numpy.ndarray or None
        Factor of the loss's "yes" term, -t log s(x), of a shape that broadcasts to the input's.

    Raises
    ------
    RuntimeError
        If a dtype differs from the input's, or a weight's shape does not fit.
    ValueError
        If input and target differ in shape.

    Examples
    --------
    >>> criterion = BCEWithLogitsLoss(reduction="none")
    >>> criterion(np.array([0.0, 1e4]), np.array([1.0, 0.0]))
    array([6.93147181e-01, 1.00000000e+04])
    >>> criterion.backward(np.array([1.0, 1.0]))
    array([-0.5,  1. ])
    """

    functions = binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_backward
    inputs = 2
    weight: np.ndarray | None
    pos_weight: np.ndarray | None

    def __init__(
        self, weight: np.ndarray | None = None, *, reduction: str = "mean", pos_weight: np.ndarray | None = None
    ) -> None:
        super().__init__(reduction)
        for name, array in (("weight", weight), ("pos_weight", pos_weight)):
            if array is not None:
                check_array(self, array, name)
            self.register_buffer(name, array)

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input, target and weights fit each other."""
        check_pair(self, x, target, ValueError)
        check_weight(self, "weight", self.weight, x)
        check_weight(self, "pos_weight", self.pos_weight, x)

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        weight = 1.0 if self.weight is None else self.weight
        pos_weight = 1.0 if self.pos_weight is None else self.pos_weight
        return self.functions, (target, weight, pos_weight, self.reduction)
