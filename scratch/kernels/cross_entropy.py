"""Cross-entropy by its simplification: the prediction minus the truth. One exponential serves both passes."""

import functools
from typing import Any

import numpy as np


def cross_entropy(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Any, tuple]:
    """Return the cross-entropy between class indices and the softmax of ``x``, weighted and reduced."""
    z = x - np.maximum.reduce(x, axis=1, keepdims=True, initial=-np.inf)
    e = np.exp(z)
    t = np.add.reduce(e, axis=1)
    logt = np.log(t)
    ignored, label, rows = None, target, _counted(len(x))
    # The targets are within [0, C) or ignored. If ignore_index is negative and no target is, none is ignored.
    if ignore_index >= 0 or (len(target) and np.minimum.reduce(target) < 0):
        ignored = target == ignore_index
        label = np.where(ignored, 0, target)
    share = weight[label]
    losses = share * (logt - z[rows, label])
    in_all = np.add.reduce(weight) if label_smoothing > 0 else None
    if in_all is not None:
        spread = (in_all * logt - z @ weight) / len(weight)
        losses = (1 - label_smoothing) * losses + label_smoothing * spread
    if ignored is not None:
        share[ignored] = losses[ignored] = 0
    total = np.add.reduce(share) or np.nan
    y = losses
    if reduction != "none":
        y = np.add.reduce(losses)
        if reduction == "mean":
            y = y / total
    return y, (e, t, rows, label, ignored, share, total, in_all)


@functools.lru_cache(maxsize=16)
def _counted(rows: int) -> np.ndarray:
    numbers = np.arange(rows)
    numbers.flags.writeable = False
    return numbers


def cross_entropy_backward(
    grad_y: Any, weight: np.ndarray, label_smoothing: float, reduction: str, saved: tuple
) -> np.ndarray:
    """Undo `cross_entropy`."""
    e, t, rows, label, ignored, share, total, in_all = saved
    grad_losses = grad_y / total if reduction == "mean" else grad_y
    if ignored is not None:
        grad_losses = np.where(ignored, 0, grad_losses)
    k = share * grad_losses
    if in_all is not None:
        k = (1 - label_smoothing) * k
        grad_spread = label_smoothing * grad_losses / len(weight)
        # For a single class both terms are equal to the last bit, and cancel.
        grad_p = np.zeros_like(e) - np.asarray(grad_spread)[..., None] * weight
        grad_p[rows, label] -= k
        return grad_p - e * (grad_p.sum(axis=1) / t)[:, None]
    grad_x = e * (k / t)[:, None]
    grad_x[rows, label] -= k
    return grad_x
