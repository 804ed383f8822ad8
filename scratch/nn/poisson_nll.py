r"""Poisson negative log-likelihood: for counts of events, whose rate a network predicts.

    x  (...)  input: log of the rate, or the rate     n    number of elements
    t  (...)  target: the count                       eps  what keeps log(rate + eps) finite at 0
    y  () or (...)  output                            constant  about log t! if ``full``, else 0

poisson_nll_loss, for ``log_input=True``
    F1  rate = exp(x)                                 (...)
    F2  losses = rate - t x + constant                (...)   -log of rate^t exp(-rate) / t!
    F3  y = reduce(losses, n)                         ()

    B3  grad_losses = grad_y / n                      ()      F3: the share 1 / n of the mean
    B1  grad_x = grad_losses (rate - t)               (...)   F2 and F1: x is used twice; exp is its own derivative

poisson_nll_loss_of_rate, for ``log_input=False``
    F1  rate = x + eps                                (...)
    F2  losses = x - t log(rate) + constant           (...)
    F3  y = reduce(losses, n)                         ()

    B3  grad_losses = grad_y / n                      ()      F3: as above
    B1  grad_x = grad_losses (1 - t / rate)           (...)   F2 and F1: x is used twice; the derivative of log

With the logarithm as input, the gradient is the prediction minus the target. The constant does not affect it. It is
Stirling's approximation of log t!, t log t - t + log(2 pi t) / 2, for counts above 1, and 0 for the others.

PyTorch's counterpart: ``torch.nn.PoissonNLLLoss``. Left out: the deprecated ``size_average`` and ``reduce``, and the
target's gradient. Deliberate difference: input and target have one shape and one dtype, where PyTorch broadcasts.
"""

import math
from typing import Any

import numpy as np

from scratch.dispatch import Pair, quiet
from scratch.nn.reduction import Loss, reduce, reduce_backward


def poisson_nll_loss(
    x: np.ndarray, target: np.ndarray, constant: np.ndarray | float, reduction: str
) -> tuple[Any, tuple]:
    """Return minus the log-likelihood of counts, given logarithms of rates, reduced."""
    rate = np.exp(x)  # F1 (...)
    losses = rate - target * x + constant  # F2 (...)
    y = reduce(losses, reduction, x.size)  # F3 ()
    return y, (rate, target)


def poisson_nll_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `poisson_nll_loss`."""
    rate, target = saved
    grad_losses = reduce_backward(grad_y, reduction, rate.size)  # B3 ()
    grad_x = grad_losses * (rate - target)  # B1 (...)
    return grad_x


def poisson_nll_loss_of_rate(
    x: np.ndarray, target: np.ndarray, constant: np.ndarray | float, eps: float, reduction: str
) -> tuple[Any, tuple]:
    """Return minus the log-likelihood of counts, given rates, reduced."""
    rate = x + eps  # F1 (...)
    losses = x - target * np.log(rate) + constant  # F2 (...)
    y = reduce(losses, reduction, x.size)  # F3 ()
    return y, (rate, target)


def poisson_nll_loss_of_rate_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `poisson_nll_loss_of_rate`."""
    rate, target = saved
    grad_losses = reduce_backward(grad_y, reduction, rate.size)  # B3 ()
    grad_x = grad_losses * (1 - target / rate)  # B1 (...)
    return grad_x


@quiet
def stirling(target: np.ndarray) -> np.ndarray:
    """Return log t! by Stirling's formula for counts above 1, and 0 for the others."""
    return np.where(target <= 1, 0, target * np.log(target) - target + np.log(2 * math.pi * target) / 2)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts under Poisson distributions whose rates a network predicts.

    Parameters
    ----------
    log_input : bool
        Whether the input is the logarithm of the rate, which may have any sign.
    full : bool
        Whether to add Stirling's approximation of log t!.
    eps : float
        What is added to a rate before its logarithm is taken.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Raises
    ------
    RuntimeError
        If input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = PoissonNLLLoss()
    >>> float(criterion(np.array([0.0, 0.0]), np.array([3.0, 1.0])))
    1.0
    >>> criterion.backward()
    array([-1.,  0.])
    """

    functions = poisson_nll_loss, poisson_nll_loss_backward
    functions_of_rate = poisson_nll_loss_of_rate, poisson_nll_loss_of_rate_backward
    inputs = 2

    def __init__(
        self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        constant = stirling(target) if self.full else 0.0
        if self.log_input:
            return self.functions, (target, constant, self.reduction)
        return self.functions_of_rate, (target, constant, self.eps, self.reduction)
