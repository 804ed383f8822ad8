r"""Losses between two arrays of one shape: how far the input is from the target, as one number.

    x  (...)  input           n  number of elements of x          d  (...)  difference
    t  (...)  target          b  SmoothL1Loss's beta              l  (...)  loss of each element
    L  the loss of the whole model, a scalar                      y  (...) or ()  output

Forward
    F1  d = x - t             (...)
    F2  l = f(d)              (...)   element by element:

        MSELoss        f(d) = d^2
        L1Loss         f(d) = |d|
        SmoothL1Loss   f(d) = d^2 / (2b)                where |d| < b,       |d| - b/2            elsewhere
        HuberLoss      f(d) = d^2 / 2                   where |d| <= delta,  delta (|d| - delta/2) elsewhere

    F3  y = sum l / n         ()      reduction "mean";  sum l for "sum";  l itself, (...), for "none"

Backward, from grad_y = dL/dy, a scalar unless the reduction is "none"
    B3  grad_l = grad_y / n   ()      F3: every element had the share 1/n, so all have this gradient; grad_y for "sum"
    B2  grad_d = f'(d) grad_l (...)   F2: element by element:

        MSELoss        f'(d) = 2d
        L1Loss         f'(d) = sign(d)
        SmoothL1Loss   f'(d) = d / b, held within [-1, 1]
        HuberLoss      f'(d) = d, held within [-delta, delta]

    B1  grad_x = grad_d       (...)   F1: x enters with the factor 1; the target is a constant

The last two are one curve, a parabola that becomes a straight line where the slope has reached its limit, so that an
outlier pulls with a bounded force: HuberLoss is delta times SmoothL1Loss with beta = delta (Huber, "Robust Estimation
of a Location Parameter", 1964; Girshick, "Fast R-CNN", 2015, equation 3, with beta = 1). Both branches have the same
value and slope where they meet, so it does not matter which one owns |d| = b.

Kinks: L1Loss, and SmoothL1Loss with beta = 0, which is L1Loss, have no derivative at d = 0; the gradient is 0 there,
and where d is NaN. The mean of no elements is NaN, without a warning.

PyTorch's counterparts: ``torch.nn.MSELoss``, ``L1Loss``, ``SmoothL1Loss``, ``HuberLoss``. Left out: the deprecated
``size_average`` and ``reduce``. Deliberate differences: input and target have one shape and one dtype, where PyTorch
warns and broadcasts (a target of shape (N,) against an input of (N, 1) would give N^2 differences), or promotes.
"""

import numpy as np

from scratch.checks import check_array, check_dtype, check_grad_output, check_scalar_grad_output, name_of
from scratch.nn.module import Module

REDUCTIONS = ("none", "mean", "sum")

# PyTorch lets a loss become infinite or NaN without a word; so do the losses here.
quiet = np.errstate(over="ignore", divide="ignore", invalid="ignore")


def check_pair(owner: object, x: np.ndarray, target: np.ndarray, mismatch: type[Exception] = RuntimeError) -> None:
    """Raise unless input and target are arrays of one float dtype and one shape (else ``mismatch``)."""
    check_array(owner, x)
    check_dtype(owner, target, x.dtype, "target")
    if x.shape != target.shape:
        raise mismatch(f"{name_of(owner)}: expected target of shape {x.shape} (the input's), got {target.shape}")


class Loss(Module):
    """Base class of the losses: it knows how the losses of the elements become one number, F3 and B3.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        What F3 does.

    Raises
    ------
    ValueError
        If ``reduction`` is none of these.
    """

    def __init__(self, reduction: str) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"{name_of(self)}: expected reduction to be one of {REDUCTIONS}, got {reduction!r}")
        self.reduction = reduction

    def reduce(self, losses: np.ndarray, total: float) -> np.ndarray:
        """Return the losses, or their sum, or their sum over ``total``."""
        if self.reduction == "none":
            return losses
        return losses.sum() / total if self.reduction == "mean" else losses.sum()

    def undo_reduce(
        self, grad_output: float | np.ndarray, shape: tuple[int, ...], dtype: np.dtype, total: float
    ) -> np.ndarray:
        """Map the gradient of the output to that of the losses, of this shape and dtype: a scalar if all are equal."""
        if self.reduction == "none" and shape != ():
            if not isinstance(grad_output, np.ndarray):
                raise RuntimeError(
                    f"{name_of(self)}: with reduction='none' the output is an array of shape {shape}; "
                    "call backward with its gradient, an array of that shape"
                )
            check_grad_output(self, grad_output, shape, dtype)
            return grad_output
        check_scalar_grad_output(self, grad_output)
        grad_output = dtype.type(grad_output)
        return grad_output / total if self.reduction == "mean" else grad_output


class ElementwiseLoss(Loss):
    """A loss of each element's difference, f(d); a subclass says what f and its slope f' are."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def f(self, d: np.ndarray) -> np.ndarray:
        """Return each element's loss."""
        raise NotImplementedError(f"{name_of(self)}: f is not defined")

    def slope(self, d: np.ndarray) -> np.ndarray:
        """Return the derivative of `f` at each element."""
        raise NotImplementedError(f"{name_of(self)}: slope is not defined")

    @quiet
    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the loss of ``x`` against ``target``, a scalar unless the reduction is "none"."""
        check_pair(self, x, target)
        d = x - target  # F1 (...)
        losses = self.f(d)  # F2 (...)
        self.save_for_backward(d=d)
        return self.reduce(losses, d.size)  # F3 ()

    @quiet
    def backward(self, grad_output: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the gradient with respect to the input, from that of the output."""
        d = self.saved("d")
        grad_losses = self.undo_reduce(grad_output, d.shape, d.dtype, d.size)  # B3 ()
        grad_d = self.slope(d) * grad_losses  # B2 (...)
        return grad_d  # B1 (...)


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

    def f(self, d: np.ndarray) -> np.ndarray:
        """Return d^2."""
        return d * d

    def slope(self, d: np.ndarray) -> np.ndarray:
        """Return 2d."""
        return 2 * d


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

    def f(self, d: np.ndarray) -> np.ndarray:
        """Return the absolute value of d."""
        return np.abs(d)

    def slope(self, d: np.ndarray) -> np.ndarray:
        """Return the sign of d; 0 at 0 and for NaN."""
        return (d > 0).astype(d.dtype) - (d < 0)


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

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if beta < 0:
            raise RuntimeError(f"SmoothL1Loss: expected beta of 0 or more, got {beta}")
        self.beta = beta

    def f(self, d: np.ndarray) -> np.ndarray:
        """Return d^2 / (2 beta) within beta, abs(d) - beta/2 beyond."""
        size = np.abs(d)
        return np.where(size < self.beta, 0.5 * d * d / self.beta, size - 0.5 * self.beta)

    def slope(self, d: np.ndarray) -> np.ndarray:
        """Return d / beta, held within [-1, 1]."""
        return np.clip(d / self.beta, -1, 1) if self.beta > 0 else super().slope(d)


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

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if delta <= 0:
            raise RuntimeError(f"HuberLoss: expected delta of more than 0, got {delta}")
        self.delta = delta

    def f(self, d: np.ndarray) -> np.ndarray:
        """Return d^2 / 2 within delta, delta (abs(d) - delta/2) beyond."""
        size = np.abs(d)
        return np.where(size <= self.delta, 0.5 * d * d, self.delta * (size - 0.5 * self.delta))

    def slope(self, d: np.ndarray) -> np.ndarray:
        """Return d, held within [-delta, delta]."""
        return np.clip(d, -self.delta, self.delta)
