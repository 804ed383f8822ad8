r"""Triplet margin loss: an anchor should be nearer to its positive than to its negative, by a margin.

    a, q, g  (..., D)  anchor, positive, negative        p     which norm: 2 the Euclidean, inf the largest component
    D        features                                    eps   added to each difference, so that none is exactly 0
    y        () or (...)  output                         n     number of triplets

norm: the length of each row, (sum_d |x_d|^p)^(1/p)
    F1  size = |x|                                       (..., D)
    F2  y = (sum_d size^p)^(1/p), or max_d size          (...)
    B2  grad_size = grad_y (size / y)^(p-1), for inf
                    divided among the largest            (..., D)   F2: p size^(p-1) from inside, y^(1-p) / p from
                                                                    outside; 0 where y = 0; broadcast over D
    B1  grad_x = grad_size sign(x)                       (..., D)   F1: the slope is -1 or 1; 0 at the kink, and at NaN

triplet_margin_loss
    F1  to_positive = a - q + eps                        (..., D)
    F2  to_negative = a - g + eps                        (..., D)
    F3  across = q - g + eps                             (..., D)
    F4  near = norm(to_positive)                         (...)
    F5  far = norm(to_negative)                          (...)
    F6  other = norm(across) for ``swap``, else infinity (...)
    F7  least = min(far, other)                          (...)      swap: the negative is kept away from both
    F8  z = margin + near - least                        (...)      how far short of the margin
    F9  losses = max(z, 0)                               (...)
    F10 y = reduce(losses, n)                            ()

    B10 grad_losses = grad_y / n                         ()         F10: the share 1 / n of the mean
    B9  grad_z = grad_losses where z > 0, else 0        (...)      F9: the branch that was taken
    B8a grad_near = grad_z                               (...)      F8: near has the factor 1
    B8b grad_least = -grad_z                             (...)      F8: a sign
    B7a grad_far = grad_least where far is less          (...)      F7: to the smaller one; half to each if equal
    B7b grad_other = grad_least where other is less      (...)
    B6  grad_across = norm_backward(grad_other), or 0    (..., D)   F6
    B5  grad_to_negative = norm_backward(grad_far)       (..., D)   F5
    B4  grad_to_positive = norm_backward(grad_near)      (..., D)   F4
    B3  grad_negative = -grad_across - grad_to_negative  (..., D)   F3 and F2: used twice, an addition; both with a sign
    B2  grad_positive = grad_across - grad_to_positive   (..., D)   F3 and F1: used twice
    B1  grad_anchor = grad_to_negative
                      + grad_to_positive                 (..., D)   F2 and F1: used twice

A triplet that has its margin has no gradient, hence the search for hard triplets in practice.

Sources: Schroff, Kalenichenko and Philbin, "FaceNet", 2015, equation 3 (with squared distances); Balntas et al.,
"Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016 (the swap). PyTorch's
counterpart: ``torch.nn.TripletMarginLoss``. Left out: the deprecated ``size_average`` and ``reduce``, and p of 0 or
less, which gives no norm. Deliberate difference: all three have one shape, where PyTorch broadcasts.
"""

from typing import Any

import numpy as np

from scratch.nn.reduction import Loss, check_alike, reduce, reduce_backward


def norm(x: np.ndarray, p: float) -> np.ndarray:
    """Return the p-norm of each row."""
    size = np.abs(x)  # F1 (..., D)
    y = size.max(axis=-1) if p == np.inf else (size**p).sum(axis=-1) ** (1 / p)  # F2 (...)
    return y


def norm_backward(grad_y: np.ndarray, x: np.ndarray, y: np.ndarray, p: float) -> np.ndarray:
    """Undo `norm`."""
    grad_size = grad_y[..., None] * slope_of_norm(np.abs(x), y[..., None], p)  # B2 (..., D)
    grad_x = grad_size * np.where(np.isnan(x), 0, np.sign(x))  # B1 (..., D)
    return grad_x


def slope_of_norm(size: np.ndarray, y: np.ndarray, p: float) -> np.ndarray:
    """Return the derivatives of norms ``y`` (..., 1) with respect to the sizes (..., D) that they are made of."""
    if p == np.inf:
        largest = (size == y) | np.isnan(size)
        return largest / largest.sum(axis=-1, keepdims=True).astype(y.dtype)
    return np.where((y == 0) | ((size == 0) & (p < 1)), 0, (size / y) ** (p - 1))


def share_of_minimum(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Return how much of the gradient of min(one, other) belongs to ``one``: 1, 0, or one half where both are equal."""
    return np.where(one == other, 0.5, one < other).astype(one.dtype)


def triplet_margin_loss(
    anchor: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    margin: float,
    p: float,
    eps: float,
    swap: bool,
    reduction: str,
) -> tuple[Any, tuple]:
    """Return how far the distances to negatives are from exceeding those to positives by ``margin``, reduced."""
    to_positive = anchor - positive + eps  # F1 (..., D)
    to_negative = anchor - negative + eps  # F2 (..., D)
    across = positive - negative + eps  # F3 (..., D)
    near = norm(to_positive, p)  # F4 (...)
    far = norm(to_negative, p)  # F5 (...)
    other = norm(across, p) if swap else np.full_like(far, np.inf)  # F6 (...)
    least = np.minimum(far, other)  # F7 (...)
    z = margin + near - least  # F8 (...)
    losses = np.maximum(z, 0)  # F9 (...)
    y = reduce(losses, reduction, z.size)  # F10 ()
    return y, (to_positive, to_negative, across, near, far, other, z)


def triplet_margin_loss_backward(
    grad_y: Any, p: float, swap: bool, reduction: str, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `triplet_margin_loss`."""
    to_positive, to_negative, across, near, far, other, z = saved
    grad_losses = reduce_backward(grad_y, reduction, z.size)  # B10 ()
    grad_z = np.where(z > 0, grad_losses, 0)  # B9 (...)
    grad_near = grad_z  # B8a (...)
    grad_least = -grad_z  # B8b (...)
    grad_far = grad_least * share_of_minimum(far, other)  # B7a (...)
    grad_other = grad_least * share_of_minimum(other, far)  # B7b (...)
    grad_across = norm_backward(grad_other, across, other, p) if swap else np.zeros_like(across)  # B6 (..., D)
    grad_to_negative = norm_backward(grad_far, to_negative, far, p)  # B5 (..., D)
    grad_to_positive = norm_backward(grad_near, to_positive, near, p)  # B4 (..., D)
    grad_negative = -grad_across - grad_to_negative  # B3 (..., D)
    grad_positive = grad_across - grad_to_positive  # B2 (..., D)
    grad_anchor = grad_to_negative + grad_to_positive  # B1 (..., D)
    return grad_anchor, grad_positive, grad_negative


class TripletMarginLoss(Loss):
    """How far the distance to the negative is from exceeding the distance to the positive by ``margin``.

    Parameters
    ----------
    margin : float
        How much larger is large enough; more than 0.
    p : float
        Which norm measures the distances: 1, 2, infinity, or any other number above 0.
    eps : float
        Added to each difference, so that none is exactly 0.
    swap : bool
        Whether the distance from positive to negative counts where it is the smaller one.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Shapes
    ------
    anchor, positive, negative (N, D) or (D,). ``backward`` returns the gradients of all three.

    Raises
    ------
    ValueError
        If ``margin`` or ``p`` is not positive.
    RuntimeError
        If the three differ in shape or dtype, or have no axis.

    Examples
    --------
    >>> criterion = TripletMarginLoss(margin=2.0, p=1.0, eps=0.0)
    >>> float(criterion(np.array([[0.0, 0.0]]), np.array([[1.0, 2.0]]), np.array([[-4.0, 0.0]])))
    1.0
    >>> grad_anchor, grad_positive, grad_negative = criterion.backward()
    >>> grad_anchor, grad_positive, grad_negative
    (array([[-2., -1.]]), array([[1., 1.]]), array([[1., 0.]]))
    """

    functions = triplet_margin_loss, triplet_margin_loss_backward
    inputs = 3
    grad_inputs = 3

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        for name, value in (("margin", margin), ("p", p)):
            if not value > 0:
                raise ValueError(f"TripletMarginLoss: expected {name} of more than 0, got {value}")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> Any:  # type: ignore[override]
        """Return the loss: a scalar, or an array if the reduction is "none"."""
        check_alike(self, anchor, positive=positive, negative=negative)
        if anchor.ndim == 0:
            raise RuntimeError("TripletMarginLoss: expected anchor of shape (D,) or (N, D), got ()")
        options = self.margin, self.p, self.eps, self.swap, self.reduction
        return self.run(self.functions, anchor, positive, negative, *options)[0]
