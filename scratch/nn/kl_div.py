r"""Kullback-Leibler divergence: how many nats the guess q costs where p is true, given log q.

    x  (...)  input: log q                    n  number of elements, or of rows for "batchmean"
    t  (...)  target: p, or log p             y  () or (...)  output

kl_div
    F1  nats = t log t, 0 where t = 0         (...)   0 is the limit
    F2  losses = nats - t x                   (...)   p (log p - log q)
    F3  y = reduce(losses, n)                 ()

    B3  grad_losses = grad_y / n              ()      F3: each element has the share 1 / n of the mean
    B2  grad_x = -t grad_losses               (...)   F2: times the other factor; the target is a constant

kl_div_log_target, for targets that are logarithms themselves
    F1  p = exp(t)                            (...)
    F2  losses = p (t - x)                    (...)
    F3  y = reduce(losses, n)                 ()

    B3  grad_losses = grad_y / n              ()      F3: as above
    B2  grad_x = -p grad_losses               (...)   F2: as above

The divergence is a sum over the outcomes of each row. So "mean", which divides by the number of all elements, does not
give the divergence; "batchmean", which divides by the number of rows, does. (PyTorch has both, and warns about "mean".)

The log-probabilities come out of a log-softmax, whose backward turns -t into q - t.

PyTorch's counterpart: ``torch.nn.KLDivLoss``. Left out: the deprecated ``size_average`` and ``reduce``, and the
target's gradient. Deliberate difference: input and target have one shape and one dtype, where PyTorch broadcasts.
"""

from typing import Any

import numpy as np

from scratch.dispatch import Pair
from scratch.nn.reduction import Loss, reduce, reduce_backward


def kl_div(x: np.ndarray, target: np.ndarray, n: int, reduction: str) -> tuple[Any, tuple]:
    """Return the divergence of each element from probabilities, reduced."""
    nats = np.where(target == 0, 0, target * np.log(target))  # F1 (...)
    losses = nats - target * x  # F2 (...)
    y = reduce(losses, reduction, n)  # F3 ()
    return y, (target,)


def kl_div_backward(grad_y: Any, n: int, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `kl_div`."""
    (target,) = saved
    grad_losses = reduce_backward(grad_y, reduction, n)  # B3 ()
    grad_x = -target * grad_losses  # B2 (...)
    return grad_x


def kl_div_log_target(x: np.ndarray, target: np.ndarray, n: int, reduction: str) -> tuple[Any, tuple]:
    """Return the divergence of each element from logarithms of probabilities, reduced."""
    p = np.exp(target)  # F1 (...)
    losses = p * (target - x)  # F2 (...)
    y = reduce(losses, reduction, n)  # F3 ()
    return y, (p,)


def kl_div_log_target_backward(grad_y: Any, n: int, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `kl_div_log_target`."""
    (p,) = saved
    grad_losses = reduce_backward(grad_y, reduction, n)  # B3 ()
    grad_x = -p * grad_losses  # B2 (...)
    return grad_x


class KLDivLoss(Loss):
    """Kullback-Leibler divergence of the target's distribution from the input's, which is given as logarithms.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}
        Whether the sum of the losses is divided by the number of elements, of rows, or by 1; "none" does not sum.
    log_target : bool
        Whether the targets are logarithms, too.

    Raises
    ------
    ValueError
        If ``reduction`` is none of these.
    RuntimeError
        If input and target differ in shape or dtype.

    Examples
    --------
    >>> criterion = KLDivLoss(reduction="batchmean")
    >>> round(float(criterion(np.log([[0.5, 0.5]]), np.array([[0.25, 0.75]]))), 4)
    0.1308
    >>> criterion.backward()
    array([[-0.25, -0.75]])
    """

    functions = kl_div, kl_div_backward
    functions_of_logs = kl_div_log_target, kl_div_log_target_backward
    inputs = 2

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__("mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        by_rows = self.reduction == "batchmean"
        n = (len(x) if x.ndim else 1) if by_rows else x.size
        pair = self.functions_of_logs if self.log_target else self.functions
        return pair, (target, n, "mean" if by_rows else self.reduction)
