r"""Multi-class margin loss: the right class's score should be larger than every other, by a margin.

    N  batch                                    x       (N, C)  scores, the input
    C  classes                                  t       (N,)    the index of the right class
    p  1 or 2                                   weight  (C,)    of each class, 1 if absent
                                                y       () or (N,)  output

An input of shape (C,) is one row. Below, n counts rows and c classes.

multi_margin_loss
    F1  picked = x[n, t_n]                              (N, 1)  gather: the right class's score
    F2  z = margin - picked + x                         (N, C)  how far the right class falls short; broadcast
    F3  pays = z > 0 and c != t_n                       (N, C)
    F4  hinge = z where it pays, else 0                 (N, C)
    F5  powers = hinge^p                                (N, C)
    F6  share = weight[t_n] / C                         (N,)
    F7  losses = share sum_c powers                     (N,)
    F8  y = reduce(losses, N)                           ()      mean: over the rows, whatever the weights

    B8  grad_losses = grad_y / N                        ()      F8: each row has the share 1 / N of the mean
    B7  grad_powers = share grad_losses                 (N, 1)  F7: times the other factor; the same for each term of a
                                                                sum
    B5  grad_hinge = grad_powers p hinge^(p - 1)        (N, C)  F5: the derivative of a power
    B4  grad_z = grad_hinge where it pays, else 0       (N, C)  F4: the branch that was taken; as a factor of 1 or 0
    B2  grad_picked = -sum_c grad_z                     (N, 1)  F2: a sign; broadcast over the classes: a sum
    B1  grad_x = grad_z + grad_picked at c = t_n        (N, C)  F2 and F1: x is used twice, as itself and by the gather,
                                                                whose transpose is a scatter

Each class that comes too near is pushed down, and the right one is pushed up by all of them together. A class that is
far enough away is left alone. Cross-entropy, in contrast, never stops pushing. At a kink, z = 0, the gradient is 0.

Source: Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999 (p = 1). PyTorch's
counterpart: ``torch.nn.MultiMarginLoss``. Left out: the deprecated ``size_average`` and ``reduce``.
"""

from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype
from scratch.dispatch import Pair
from scratch.nn.nll import check_class_indices, flat_indices
from scratch.nn.reduction import Loss, reduce, reduce_backward


def multi_margin_loss(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, p: int, margin: float, reduction: str
) -> tuple[Any, tuple]:
    """Return how far the right class's score falls short of the others, raised to ``p`` and reduced."""
    picked = x[np.arange(len(x)), target][:, None]  # F1 (N, 1)
    z = margin - picked + x  # F2 (N, C)
    pays = (z > 0) & (np.arange(x.shape[1]) != target[:, None])  # F3 (N, C)
    hinge = np.where(pays, z, 0)  # F4 (N, C)
    powers = hinge**p  # F5 (N, C)
    share = weight[target] / x.shape[1]  # F6 (N,)
    losses = share * powers.sum(axis=1)  # F7 (N,)
    y = reduce(losses, reduction, len(x))  # F8 ()
    return y, (target, pays, hinge, share)


def multi_margin_loss_backward(grad_y: Any, p: int, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `multi_margin_loss`."""
    target, pays, hinge, share = saved
    grad_losses = reduce_backward(grad_y, reduction, len(share))  # B8 ()
    grad_powers = (share * grad_losses)[:, None]  # B7 (N, 1)
    grad_hinge = grad_powers * p * hinge ** (p - 1)  # B5 (N, C)
    grad_z = grad_hinge * pays  # B4 (N, C)
    grad_picked = -grad_z.sum(axis=1, keepdims=True)  # B2 (N, 1)
    grad_x = np.where(np.arange(hinge.shape[1]) == target[:, None], grad_z + grad_picked, grad_z)  # B1 (N, C)
    return grad_x


class MultiMarginLoss(Loss):
    """Multi-class hinge loss: how far the right class's score is from being the largest by ``margin``.

    Parameters
    ----------
    p : {1, 2}
        The power to which each shortfall is raised.
    margin : float
        By how much the right score should be larger.
    weight : numpy.ndarray of shape (C,), or None
        Factor of the loss of each row, by its class.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged (over the rows), summed or returned one by one.

    Shapes
    ------
    input (N, C) or (C,), target (N,) or () of class indices. ``backward`` returns the input's gradient.

    Raises
    ------
    ValueError
        If ``p`` is neither 1 nor 2.
    RuntimeError
        If a shape or dtype does not fit, or a target is not within [0, C).

    Examples
    --------
    >>> criterion = MultiMarginLoss(reduction="sum")
    >>> float(criterion(np.array([[3.0, 2.5, 0.0, 7.0]]), np.array([0])))
    1.375
    >>> criterion.backward()
    array([[-0.5 ,  0.25,  0.  ,  0.25]])
    """

    functions = multi_margin_loss, multi_margin_loss_backward
    inputs = 2
    weight: np.ndarray | None

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: np.ndarray | None = None, *, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: expected p to be 1 or 2, got {p}")
        if weight is not None:
            check_array(self, weight, "weight")
        self.register_buffer("weight", weight)
        self.p, self.margin = p, margin

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input, target and weight fit each other."""
        check_array(self, x)
        if x.ndim not in (1, 2) or x.shape[-1] == 0:
            raise RuntimeError(
                f"MultiMarginLoss: expected input of shape (C,) or (N, C), C of 1 or more, got {x.shape}"
            )
        try:
            check_class_indices(self, x, target)
        except (ValueError, IndexError) as error:
            raise RuntimeError(str(error)) from None
        if self.weight is not None:
            check_dtype(self, self.weight, x.dtype, "weight")
            if self.weight.shape != x.shape[-1:]:
                raise RuntimeError(
                    f"MultiMarginLoss: expected weight of shape {x.shape[-1:]}, one per class, got {self.weight.shape}"
                )

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        weight = np.ones(x.shape[-1], x.dtype) if self.weight is None else self.weight.copy()
        return self.functions, (flat_indices(target), weight, self.p, self.margin, self.reduction)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (C,) to (1, C)."""
        return x if x.ndim == 2 else x.reshape(1, -1)

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`, also for the losses of the rows, (N,)."""
        if y.ndim == 2:
            return y.reshape(input_shape)
        return y.reshape(()) if y.ndim == 1 and len(input_shape) == 1 else y

    def fold_losses(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of the losses to (N,)."""
        return grad_output.reshape(-1)
