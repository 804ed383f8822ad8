r"""Binary cross-entropy: minus the log-probability that a yes-or-no model gave to what happened.

    p  (...)  probability of "yes", the input of BCELoss          t  (...)  target in [0, 1]
    x  (...)  its logit, the input of BCEWithLogitsLoss           w  broadcasts to (...)  weight, 1 if absent
    s(x) = 1 / (1 + exp(-x)), the sigmoid                         c  broadcasts to (...)  pos_weight, 1 if absent
    l  (...)  loss of each element                                n  number of elements

BCELoss, forward
    F1  a = max(log p, -100)                 (...)
    F2  b = max(log(1 - p), -100)            (...)   the floor keeps a sure and wrong p = 0 from an infinite loss
    F3  l = -w (t a + (1 - t) b)             (...)
    F4  y = sum l / n                        ()      or the sum, or l itself, as `scratch.nn.loss` says
BCELoss, backward
    B4  grad_l = grad_y / n                  ()
    B3, B2, B1 joined: without the floor, dl/dp = w (-t / p + (1 - t) / (1 - p)) = w (p - t) / ((1 - p) p)
        grad_p = w (p - t) / max((1 - p) p, 1e-12) grad_l    (...)

The floor of F1 and F2 is not differentiated (its gradient would be 0 just where the model is most wrong): the
denominator has a floor of its own, so that at p = 0 and t = 1 the gradient is -1e12, finite. Both are PyTorch's.

BCEWithLogitsLoss, forward: p = s(x) is put into F3, and the logarithms are taken before anything is rounded to 0 or 1
    F1  a = log s(x) = min(x, 0) - log(1 + exp(-|x|))        (...)   the exponent is never positive, so never overflows
    F2  k = 1 + (c - 1) t                                    (...)
    F3  l = w ((1 - t) x - k a)                              (...)
    F4  y = sum l / n                                        ()
        F3 is -w (c t log s(x) + (1 - t) log(1 - s(x))), with log(1 - s(x)) = log s(x) - x.
BCEWithLogitsLoss, backward
    B4  grad_l = grad_y / n                                  ()
    B3  grad_a = -w k grad_l, and grad_x = w (1 - t) grad_l on the direct path   (...)
    B1  grad_x = w ((1 - t) - k s(-x)) grad_l                (...)   F1: d log s(x) / dx = 1 - s(x) = s(-x); paths add
        With k from F2 and s(x) + s(-x) = 1 the bracket is (1 - t) s(x) - c t s(-x), which loses no digits where t is
        0 or 1. With c = 1 it is s(x) - t: the prediction minus the truth.

``pos_weight`` of c counts each "yes" c times, against a data set in which it is rare. Infinite logits give what F3
gives: NaN where infinity meets infinity, as in PyTorch.

PyTorch's counterparts: ``torch.nn.BCELoss``, ``torch.nn.BCEWithLogitsLoss``. Left out: the deprecated ``size_average``
and ``reduce``. Deliberate difference: target and weights have the input's dtype, where PyTorch promotes in places.
"""

import numpy as np

from scratch.checks import check_array, check_dtype, name_of
from scratch.nn.loss import Loss, check_pair, quiet

# PyTorch's 1e-12 is a float32 for both dtypes, and a float64 gradient at p = 0 shows the difference.
FLOOR = float(np.float32(1e-12))


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

    def __init__(self, weight: np.ndarray | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if weight is not None:
            check_array(self, weight, "weight")
        self.register_buffer("weight", weight)

    @quiet
    def forward(self, p: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the loss of the probabilities ``p`` against ``target``."""
        check_pair(self, p, target, ValueError)
        check_weight(self, "weight", self.weight, p)
        for name, array in (("input", p), ("target", target)):
            if not ((array >= 0) & (array <= 1)).all():
                raise RuntimeError(f"BCELoss: expected all elements of {name} within [0, 1]")
        w = 1 if self.weight is None else self.weight
        a = np.maximum(np.log(p), -100)  # F1 (...)
        b = np.maximum(np.log1p(-p), -100)  # F2 (...)
        losses = ((target - 1) * b - target * a) * w  # F3 (...)
        self.save_for_backward(p=p, target=target, w=w)
        return self.reduce(losses, p.size)  # F4 ()

    @quiet
    def backward(self, grad_output: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the gradient with respect to the probabilities."""
        p, target, w = self.saved("p", "target", "w")
        grad_losses = self.undo_reduce(grad_output, p.shape, p.dtype, p.size)  # B4 ()
        return (p - target) / np.maximum((1 - p) * p, FLOOR) * w * grad_losses  # B3, B2, B1 (...)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of logits, stable at any size of them.

    Parameters
    ----------
    weight : numpy.ndarray or None
        Factor of each element's loss, of a shape that broadcasts to the input's.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one. The mean divides by n, not by the weights' sum.
    pos_weight : numpy.ndarray or None
        Factor of the target's share of the loss, of a shape that broadcasts to the input's.

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

    def __init__(
        self, weight: np.ndarray | None = None, *, reduction: str = "mean", pos_weight: np.ndarray | None = None
    ) -> None:
        super().__init__(reduction)
        for name, array in (("weight", weight), ("pos_weight", pos_weight)):
            if array is not None:
                check_array(self, array, name)
            self.register_buffer(name, array)

    @quiet
    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the loss of the logits ``x`` against ``target``."""
        check_pair(self, x, target, ValueError)
        check_weight(self, "weight", self.weight, x)
        check_weight(self, "pos_weight", self.pos_weight, x)
        w = 1 if self.weight is None else self.weight
        e = np.exp(-np.abs(x))
        a = np.minimum(x, 0) - np.log1p(e)  # F1 (...)
        k = 1 if self.pos_weight is None else 1 + (self.pos_weight - 1) * target  # F2 (...)
        losses = ((1 - target) * x - k * a) * w  # F3 (...)
        self.save_for_backward(x=x, e=e, target=target, w=w)
        return self.reduce(losses, x.size)  # F4 ()

    @quiet
    def backward(self, grad_output: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the gradient with respect to the logits."""
        x, e, target, w = self.saved("x", "e", "target", "w")
        c = 1 if self.pos_weight is None else self.pos_weight
        grad_losses = self.undo_reduce(grad_output, x.shape, x.dtype, x.size)  # B4 ()
        near, far = 1 / (1 + e), e / (1 + e)  # s(|x|), s(-|x|)
        yes, no = np.where(x < 0, far, near), np.where(x < 0, near, far)  # s(x), s(-x)
        return ((1 - target) * yes - c * target * no) * w * grad_losses  # B3, B1 (...)
