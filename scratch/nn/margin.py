r"""Losses with a margin, for targets of 1 and -1: how far a score, or a difference of two, is on the right side.

    x, x1, x2  (...)  inputs            margin  how far is far enough       y  () or (...)  output
    t          (...)  target, 1 or -1   n       number of elements

hinge_embedding_loss: x is a distance; small is right where t = 1, at least ``margin`` where t = -1
    F1  near = x where t != -1, else 0                   (...)
    F2  z = margin - x                                   (...)   how far x is short of the margin
    F3  far = max(z, 0) where t != 1, else 0             (...)   no loss beyond it
    F4  losses = near + far                              (...)
    F5  y = reduce(losses, n)                            ()

    B5  grad_losses = grad_y / n                         ()      F5: the share 1 / n of the mean
    B4a grad_near = grad_losses                          ()      F4: a sum passes its gradient on
    B4b grad_far = grad_losses                           ()      F4: to both
    B3  grad_z = grad_far where t != 1 and z > 0,
                 else 0                                  (...)   F3: the gradient takes the branch that was taken
    B1  grad_x = (grad_near where t != -1, else 0)
                 - grad_z                                (...)   F2 and F1: x is used twice; in F2 with the sign -1

soft_margin_loss: a score's sign should be the target's; the logistic loss
    F1  z = -t x                                         (...)   positive where the sign is wrong
    F2  losses = log(1 + exp(z))                         (...)   by logaddexp: no exponential can overflow
    F3  y = reduce(losses, n)                            ()

    B3  grad_losses = grad_y / n                         ()      F3: as above
    B2  grad_z = grad_losses / (1 + exp(-z))             (...)   F2: the derivative is the sigmoid of z
    B1  grad_x = -t grad_z                               (...)   F1: times the other factor

margin_ranking_loss: x1 should be larger than x2 where t = 1, and smaller where t = -1
    F1  d = x1 - x2                                      (...)
    F2  z = margin - t d                                 (...)   how far t d is short of the margin
    F3  losses = max(z, 0)                               (...)
    F4  y = reduce(losses, n)                            ()

    B4  grad_losses = grad_y / n                         ()      F4: as above
    B3  grad_z = grad_losses where z > 0, else 0        (...)   F3: the branch that was taken
    B2  grad_d = -t grad_z                               (...)   F2: times the other factor
    B1a grad_x2 = -grad_d                                (...)   F1: a sign
    B1b grad_x1 = grad_d                                 (...)   F1: x1 has the factor 1

Exactly at the margin, a kink, there is no derivative. Like PyTorch since 2.14 we take 0, the slope where there is no
loss.

Differs from PyTorch: where t x is below minus the logarithm of the largest float (-88 in float32, -709 in float64),
PyTorch's SoftMarginLoss overflows to an infinite loss and a gradient of NaN; this one does not.

PyTorch's counterparts: ``torch.nn.HingeEmbeddingLoss``, ``SoftMarginLoss``, ``MarginRankingLoss``. Left out: the
deprecated ``size_average`` and ``reduce``. Deliberate difference: all inputs have one shape and one dtype, where
PyTorch broadcasts.
"""

from typing import Any

import numpy as np

from scratch.dispatch import Pair
from scratch.nn.reduction import Loss, check_alike, reduce, reduce_backward


def hinge_embedding_loss(x: np.ndarray, target: np.ndarray, margin: float, reduction: str) -> tuple[Any, tuple]:
    """Return the distances of pairs that belong together, and how far others fall short of the margin, reduced."""
    near = np.where(target != -1, x, 0)  # F1 (...)
    z = margin - x  # F2 (...)
    far = np.where(target != 1, np.maximum(z, 0), 0)  # F3 (...)
    losses = near + far  # F4 (...)
    y = reduce(losses, reduction, x.size)  # F5 ()
    return y, (target, z)


def hinge_embedding_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `hinge_embedding_loss`."""
    target, z = saved
    grad_losses = reduce_backward(grad_y, reduction, z.size)  # B5 ()
    grad_near = grad_losses  # B4a ()
    grad_far = grad_losses  # B4b ()
    grad_z = np.where((target != 1) & (z > 0), grad_far, 0)  # B3 (...)
    grad_x = np.where(target != -1, grad_near, 0) - grad_z  # B1 (...)
    return grad_x


def soft_margin_loss(x: np.ndarray, target: np.ndarray, reduction: str) -> tuple[Any, tuple]:
    """Return the logistic loss of scores, reduced."""
    z = -target * x  # F1 (...)
    losses = np.logaddexp(0, z)  # F2 (...)
    y = reduce(losses, reduction, z.size)  # F3 ()
    return y, (target, z)


def soft_margin_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `soft_margin_loss`."""
    target, z = saved
    grad_losses = reduce_backward(grad_y, reduction, z.size)  # B3 ()
    grad_z = grad_losses / (1 + np.exp(-z))  # B2 (...)
    grad_x = -target * grad_z  # B1 (...)
    return grad_x


def margin_ranking_loss(
    x1: np.ndarray, x2: np.ndarray, target: np.ndarray, margin: float, reduction: str
) -> tuple[Any, tuple]:
    """Return how far differences fall short of the margin, reduced."""
    d = x1 - x2  # F1 (...)
    z = margin - target * d  # F2 (...)
    losses = np.maximum(z, 0)  # F3 (...)
    y = reduce(losses, reduction, z.size)  # F4 ()
    return y, (target, z)


def margin_ranking_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `margin_ranking_loss`."""
    target, z = saved
    grad_losses = reduce_backward(grad_y, reduction, z.size)  # B4 ()
    grad_z = np.where(z > 0, grad_losses, 0)  # B3 (...)
    grad_d = -target * grad_z  # B2 (...)
    grad_x2 = -grad_d  # B1a (...)
    grad_x1 = grad_d  # B1b (...)
    return grad_x1, grad_x2


class HingeEmbeddingLoss(Loss):
    """A distance where the target is 1, and how far it falls short of ``margin`` where the target is -1.

    Parameters
    ----------
    margin : float
        How far apart a pair that does not belong together should be.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Raises
    ------
    RuntimeError
        If input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = HingeEmbeddingLoss(margin=2.0, reduction="sum")
    >>> float(criterion(np.array([0.5, 0.5, 3.0]), np.array([1.0, -1.0, -1.0])))
    2.0
    >>> criterion.backward()
    array([ 1., -1.,  0.])
    """

    functions = hinge_embedding_loss, hinge_embedding_loss_backward
    inputs = 2

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        return self.functions, (target, self.margin, self.reduction)


class SoftMarginLoss(Loss):
    """The logistic loss of scores against targets of 1 and -1, log(1 + exp(-t x)); any shape.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Raises
    ------
    RuntimeError
        If input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = SoftMarginLoss(reduction="none")
    >>> criterion(np.array([0.0, 1e4]), np.array([1.0, -1.0]))
    array([6.93147181e-01, 1.00000000e+04])
    >>> criterion.backward(np.array([2.0, 3.0]))
    array([-1.,  3.])
    """

    functions = soft_margin_loss, soft_margin_loss_backward
    inputs = 2

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class MarginRankingLoss(Loss):
    """How far the first score is from being larger than the second by ``margin`` (target 1), or smaller (-1).

    Parameters
    ----------
    margin : float
        How much larger is large enough.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Shapes
    ------
    input1 (...), input2 (...), target (...). ``backward`` returns the gradients of both inputs.

    Raises
    ------
    RuntimeError
        If inputs and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = MarginRankingLoss(margin=1.0, reduction="sum")
    >>> float(criterion(np.array([3.0, 0.5]), np.array([1.0, 0.0]), np.array([1.0, 1.0])))
    0.5
    >>> criterion.backward()[1]
    array([0., 1.])
    """

    functions = margin_ranking_loss, margin_ranking_loss_backward
    inputs = 3
    grad_inputs = 2

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: np.ndarray, x2: np.ndarray, target: np.ndarray) -> Any:  # type: ignore[override]
        """Return the loss: a scalar, or an array if the reduction is "none"."""
        check_alike(self, x1, input2=x2, target=target)
        return self.run(self.functions, x1, x2, target, self.margin, self.reduction)[0]
