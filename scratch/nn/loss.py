r"""Losses between two arrays of the same shape: how far the input is from the target, as one number.

    x  (...)  input           d  (...)  difference             y  () or (...)  output
    t  (...)  target          n  number of elements of x       `reduce`: mean, sum or none, `scratch.nn.reduction`

mse_loss
    F1  d = x - t                             (...)
    F2  losses = d^2                          (...)
    F3  y = reduce(losses, n)                 ()      mean: sum losses / n

    B3  grad_losses = grad_y / n              ()      F3: each element has the share 1 / n of the mean
    B2  grad_d = 2 d grad_losses              (...)   F2: the derivative of the square
    B1  grad_x = grad_d                       (...)   F1: x has the factor 1; the target is a constant

l1_loss
    F1  d = x - t                             (...)
    F2  losses = |d|                          (...)
    F3  y = reduce(losses, n)                 ()

    B3  grad_losses = grad_y / n              ()      F3: each element has the share 1 / n of the mean
    B2  grad_d = sign(d) grad_losses          (...)   F2: the slope is -1 or 1; 0 at the kink, and where d is NaN
    B1  grad_x = grad_d                       (...)   F1: x has the factor 1

smooth_l1_loss
    F1  d = x - t                             (...)
    F2  size = |d|                            (...)
    F3  losses = d^2 / (2 beta) where size < beta,
                 size - beta / 2 elsewhere    (...)
    F4  y = reduce(losses, n)                 ()

    B4  grad_losses = grad_y / n              ()      F4: each element has the share 1 / n of the mean
    B3  grad_d = clip(d / beta, -1, 1)
                 grad_losses                  (...)   F3 and F2: the parabola's slope d / beta reaches the lines' slopes
                                                      -1 and 1 where the branches meet
    B1  grad_x = grad_d                       (...)   F1: x has the factor 1

huber_loss
    F1  d = x - t                             (...)
    F2  size = |d|                            (...)
    F3  losses = d^2 / 2 where size <= delta,
                 delta (size - delta / 2)
                 elsewhere                    (...)
    F4  y = reduce(losses, n)                 ()

    B4  grad_losses = grad_y / n              ()      F4: each element has the share 1 / n of the mean
    B3  grad_d = clip(d, -delta, delta)
                 grad_losses                  (...)   F3 and F2: the parabola's slope d reaches the lines' slopes -delta
                                                      and delta where the branches meet
    B1  grad_x = grad_d                       (...)   F1: x has the factor 1

The last two are the same curve, a parabola that continues as a straight line once its slope has reached the limit, so
that an outlier pulls with a bounded force: HuberLoss is delta times SmoothL1Loss with beta = delta (Huber, "Robust
Estimation of a Location Parameter", 1964; Girshick, "Fast R-CNN", 2015, equation 3, with beta = 1). Both branches have
the same value and slope where they meet, so it does not matter which one |d| = beta belongs to.

SmoothL1Loss with beta = 0 has no parabola: it is L1Loss, kink included.

PyTorch's counterparts: ``torch.nn.MSELoss``, ``L1Loss``, ``SmoothL1Loss``, ``HuberLoss``. Left out: the deprecated
``size_average`` and ``reduce``. Deliberate differences: input and target must have the same shape and dtype, where
PyTorch warns and broadcasts (a target of shape (N,) against an input of (N, 1) would give N^2 differences), or
promotes.
"""

from typing import Any, ClassVar

import numpy as np

from scratch.checks import check_number
from scratch.dispatch import Pair
from scratch.nn.reduction import Loss, reduce, reduce_backward


def mse_loss(x: np.ndarray, target: np.ndarray, reduction: str) -> tuple[Any, tuple]:
    """Return the squared differences, reduced."""
    d = x - target  # F1 (...)
    losses = d**2  # F2 (...)
    y = reduce(losses, reduction, d.size)  # F3 ()
    return y, (d,)


def mse_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `mse_loss`."""
    (d,) = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)  # B3 ()
    grad_d = 2 * d * grad_losses  # B2 (...)
    grad_x = grad_d  # B1 (...)
    return grad_x


def l1_loss(x: np.ndarray, target: np.ndarray, reduction: str) -> tuple[Any, tuple]:
    """Return the absolute differences, reduced."""
    d = x - target  # F1 (...)
    losses = np.abs(d)  # F2 (...)
    y = reduce(losses, reduction, d.size)  # F3 ()
    return y, (d,)


def l1_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `l1_loss`."""
    (d,) = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)  # B3 ()
    grad_d = np.where(np.isnan(d), 0, np.sign(d)) * grad_losses  # B2 (...)
    grad_x = grad_d  # B1 (...)
    return grad_x


def smooth_l1_loss(x: np.ndarray, target: np.ndarray, beta: float, reduction: str) -> tuple[Any, tuple]:
    """Return the differences, squared within ``beta`` and absolute beyond, reduced."""
    d = x - target  # F1 (...)
    size = np.abs(d)  # F2 (...)
    losses = np.where(size < beta, d**2 / (2 * beta), size - beta / 2)  # F3 (...)
    y = reduce(losses, reduction, d.size)  # F4 ()
    return y, (d,)


def smooth_l1_loss_backward(grad_y: Any, beta: float, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `smooth_l1_loss`."""
    (d,) = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)  # B4 ()
    grad_d = np.clip(d / beta, -1, 1) * grad_losses  # B3 (...)
    grad_x = grad_d  # B1 (...)
    return grad_x


def huber_loss(x: np.ndarray, target: np.ndarray, delta: float, reduction: str) -> tuple[Any, tuple]:
    """Return half the squared differences within ``delta`` and straight lines beyond, reduced."""
    d = x - target  # F1 (...)
    size = np.abs(d)  # F2 (...)
    losses = np.where(size <= delta, d**2 / 2, delta * (size - delta / 2))  # F3 (...)
    y = reduce(losses, reduction, d.size)  # F4 ()
    return y, (d,)


def huber_loss_backward(grad_y: Any, delta: float, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `huber_loss`."""
    (d,) = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)  # B4 ()
    grad_d = np.clip(d, -delta, delta) * grad_losses  # B3 (...)
    grad_x = grad_d  # B1 (...)
    return grad_x


class ElementwiseLoss(Loss):
    """A loss of each element's difference."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)


class MSELoss(ElementwiseLoss):
    """Squared difference, d^2.

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
    >>> criterion = MSELoss()
    >>> float(criterion(np.array([1.0, 5.0]), np.array([0.0, 2.0])))
    5.0
    >>> criterion.backward()
    array([1., 3.])
    """

    functions = mse_loss, mse_loss_backward


class L1Loss(ElementwiseLoss):
    """Absolute difference, abs(d). Parameters and errors are `MSELoss`'s.

    Examples
    --------
    >>> criterion = L1Loss(reduction="sum")
    >>> float(criterion(np.array([1.0, 5.0, 2.0]), np.array([3.0, 2.0, 2.0])))
    5.0
    >>> criterion.backward()
    array([-1.,  1.,  0.])
    """

    functions: ClassVar[Pair] = l1_loss, l1_loss_backward


class SmoothL1Loss(L1Loss):
    """Squared difference within ``beta``, absolute difference beyond.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.
    beta : float
        Where the parabola ends, 0 or more; with 0 this is `L1Loss`.

    Raises
    ------
    RuntimeError
        If ``beta`` is negative, or input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = SmoothL1Loss(reduction="none", beta=2.0)
    >>> criterion(np.array([1.0, 5.0]), np.array([0.0, 0.0]))
    array([0.25, 4.  ])
    >>> criterion.backward(np.array([1.0, 1.0]))
    array([0.5, 1. ])
    """

    functions = smooth_l1_loss, smooth_l1_loss_backward
    functions_without_parabola = l1_loss, l1_loss_backward

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        check_number(self, "beta", beta)
        if beta < 0:
            raise RuntimeError(f"SmoothL1Loss: expected beta of 0 or more, got {beta}")
        self.beta = beta

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        if self.beta == 0:
            return self.functions_without_parabola, (target, self.reduction)
        return self.functions, (target, self.beta, self.reduction)


class HuberLoss(ElementwiseLoss):
    """Half the squared difference within ``delta``, a straight line beyond.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.
    delta : float
        Where the parabola ends, and the largest slope; more than 0.

    Raises
    ------
    RuntimeError
        If ``delta`` is not positive, or input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = HuberLoss(reduction="none", delta=2.0)
    >>> criterion(np.array([1.0, 5.0]), np.array([0.0, 0.0]))
    array([0.5, 8. ])
    >>> criterion.backward(np.array([1.0, 1.0]))
    array([1., 2.])
    """

    functions = huber_loss, huber_loss_backward

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        check_number(self, "delta", delta)
        if delta <= 0:
            raise RuntimeError(f"HuberLoss: expected delta of more than 0, got {delta}")
        self.delta = delta

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        return self.functions, (target, self.delta, self.reduction)
