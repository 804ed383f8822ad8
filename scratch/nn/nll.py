r"""Negative log-likelihood: minus the log-probability of the right class, given log-probabilities.

    N  batch                                        x       (M, C)  log-probabilities, the input
    C  classes                                      target  (M,)    the index of the right class
    M  N times the sizes of all axes after C        weight  (C,)    of each class, 1 if absent
                                                    y       ()      output

Further axes, (N, C, d1, ...) with targets (N, d1, ...), act like more batch: each place in them is a row of C numbers,
and there are M rows. An input of shape (C,) is one row. Below, n counts rows and c classes.

nll_loss
    F1  ignored = target == ignore_index                   (M,)    these rows take no part
    F2  label = target, 0 where ignored                    (M,)    a class that can be looked up
    F3  share = weight[label], 0 where ignored             (M,)
    F4  picked = x[n, label_n]                             (M,)    gather: one number of each row is read
    F5  losses = -share picked, 0 where ignored            (M,)    0 even if picked is NaN there
    F6  total = sum_n share, NaN for 0                     ()
    F7  y = reduce(losses, total)                          ()      mean: sum losses / total; or the sum; or the losses

    B7  grad_losses = grad_y / total, 0 where ignored      (M,)    F7 and F5: each row has the share 1 / total of the
                                                                   mean; an ignored one does not reach it
    B5  grad_picked = -share grad_losses                   (M,)    F5: times the other factor
    B4  grad_x = grad_picked at c = label, 0 elsewhere     (M, C)  F4: scatter, the transpose of a gather: what was not
                                                                   read has no gradient

If every row is ignored the mean is 0 / 0, NaN, and the gradient is 0, as no row took part. If the weights of all
targets are 0, the mean is NaN, and so is the gradient where a number was read.

PyTorch's counterpart: ``torch.nn.NLLLoss``. Left out: the deprecated ``size_average`` and ``reduce``.
"""

import functools
from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype, check_integer, check_is_array, name_of
from scratch.dispatch import Pair
from scratch.nn.reduction import Loss, reduce, reduce_backward

INDEX_DTYPES = (np.dtype(np.int64), np.dtype(np.uint8))


def nll_loss(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, ignore_index: int, reduction: str
) -> tuple[Any, tuple]:
    """Return minus the targets' log-probabilities, weighted and reduced."""
    ignored = target == ignore_index  # F1 (M,)
    label = np.where(ignored, 0, target)  # F2 (M,)
    share = np.where(ignored, 0, weight[label])  # F3 (M,)
    picked = x[np.arange(len(x)), label]  # F4 (M,)
    losses = np.where(ignored, 0, -share * picked)  # F5 (M,)
    total = share.sum() or np.nan  # F6 ()
    y = reduce(losses, reduction, total)  # F7 ()
    return y, (ignored, label, share, total)


def nll_loss_backward(grad_y: Any, weight: np.ndarray, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `nll_loss`."""
    ignored, label, share, total = saved
    grad_losses = np.where(ignored, 0, reduce_backward(grad_y, reduction, total))  # B7 (M,)
    grad_picked = -share * grad_losses  # B5 (M,)
    grad_x = np.where(np.arange(len(weight)) == label[:, None], grad_picked[:, None], 0)  # B4 (M, C)
    return grad_x


def check_class_indices(
    owner: object, x: np.ndarray, target: object, ignore_index: int | None = None, name: str = "target"
) -> None:
    """Raise unless ``target`` is an array of class indices, one for each row of classes of the input.

    Raises
    ------
    TypeError
        If it is not an array.
    ValueError, RuntimeError
        If its shape does not fit: ValueError if its batch differs, else RuntimeError.
    RuntimeError
        If its dtype is neither int64 nor uint8.
    IndexError
        If an index is not within [0, C) and not ``ignore_index``.
    """
    target = check_is_array(owner, target, name, np.dtype(np.int64))
    expected = batch_shape(x.shape)
    if target.shape != expected:
        other_batch = target.shape[:1] != x.shape[:1] if x.ndim > 1 else target.ndim == 1 and target.size != 1
        raise (ValueError if other_batch else RuntimeError)(
            f"{name_of(owner)}: expected {name} of shape {expected} for input of shape {x.shape}, got {target.shape}"
        )
    if target.dtype not in INDEX_DTYPES:
        raise RuntimeError(
            f"{name_of(owner)}: expected {name} to be class indices of dtype int64 or uint8, got {target.dtype}; "
            "convert them with .astype(np.int64)"
        )
    indices, classes = target.ravel().astype(np.int64, copy=False), x.shape[min(x.ndim - 1, 1)]
    # As unsigned numbers negative indices are huge, so one comparison finds those that are out of range on either side.
    if np.count_nonzero(indices.view(np.uint64) >= classes):
        outside = indices[(indices != ignore_index) & ((indices < 0) | (indices >= classes))]
        if outside.size:
            raise IndexError(f"{name_of(owner)}: {name} {outside[0]} is out of bounds for {classes} classes")


def batch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the class indices for an input of shape (N, C, d1, ...) or (C,)."""
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


def flat_indices(target: np.ndarray) -> np.ndarray:
    """Copy class indices (N, d1, ...) to (M,), as int64; the copy is read-only."""
    indices = target.reshape(-1).astype(np.int64)
    indices.setflags(write=False)
    return indices


@functools.cache
def _ones(classes: int, dtype: np.dtype) -> np.ndarray:
    weight = np.ones(classes, dtype)
    weight.flags.writeable = False
    return weight


class ClassLoss(Loss):
    """Base of the losses over classes: their options, the checks of targets, and the folding of inputs into rows."""

    weight: np.ndarray | None

    def __init__(self, weight: np.ndarray | None, ignore_index: int, reduction: str) -> None:
        super().__init__(reduction)
        check_integer(self, "ignore_index", ignore_index)
        if weight is not None:
            check_array(self, weight, "weight")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def check_weight(self, x: np.ndarray) -> None:
        """Raise ``RuntimeError`` unless the weight is absent, or has the input's dtype and one element per class."""
        if self.weight is None:
            return
        expected = x.shape[:1] if x.ndim == 1 else x.shape[1:2]
        check_dtype(self, self.weight, x.dtype, "weight")
        if self.weight.shape != expected:
            raise RuntimeError(
                f"{name_of(self)}: expected weight of shape {expected}, one per class, got {self.weight.shape}"
            )

    def class_weight(self, x: np.ndarray) -> np.ndarray:
        """Return the weight of each class of an input, (C,)."""
        return _ones(x.shape[min(x.ndim - 1, 1)], x.dtype) if self.weight is None else self.weight

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, d1, ...) to (M, C), and (C,) to (1, C)."""
        if x.ndim == 2:
            return x
        return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim > 2 else x.reshape(1, -1)

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (M, C) to (N, C, d1, ...), and the losses of the rows, (M,), to (N, d1, ...)."""
        if y.ndim == 1:
            return y.reshape(batch_shape(input_shape))
        if y.ndim == 0 or len(input_shape) == 2:
            return y
        if len(input_shape) == 1:
            return y.reshape(input_shape)
        return np.moveaxis(y.reshape(input_shape[0], *input_shape[2:], input_shape[1]), -1, 1)

    def fold_losses(self, grad_output: np.ndarray) -> np.ndarray:
        """Map (N, d1, ...) to (M,)."""
        return grad_output.reshape(-1)


class NLLLoss(ClassLoss):
    """Negative log-likelihood of class indices.

    Parameters
    ----------
    weight : numpy.ndarray of shape (C,), or None
        Factor of each class's loss.
    ignore_index : int
        A target that takes no part in the loss.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged (by weight), summed or returned one by one.

    Raises
    ------
    IndexError
        If a target is not within [0, C) and not ``ignore_index``.
    ValueError
        If the batch of the targets is not the input's.
    RuntimeError
        If another size or a dtype does not fit.

    Examples
    --------
    >>> criterion = NLLLoss()
    >>> float(criterion(np.array([[-0.5, -1.5], [-2.0, -0.1]]), np.array([1, 0])))
    1.75
    >>> criterion.backward()
    array([[ 0. , -0.5],
           [-0.5,  0. ]])
    """

    functions = nll_loss, nll_loss_backward

    def __init__(self, weight: np.ndarray | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, ignore_index, reduction)

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input, target and weight fit each other."""
        check_array(self, x)
        if x.ndim == 0:
            raise ValueError("NLLLoss: expected input of shape (C,) or (N, C, ...), got ()")
        check_class_indices(self, x, target, self.ignore_index)
        self.check_weight(x)

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        return self.functions, (flat_indices(target), self.class_weight(x), self.ignore_index, self.reduction)
