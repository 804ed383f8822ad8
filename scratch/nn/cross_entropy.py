r"""Cross-entropy: how much the right class surprises the model, as minus its log-probability, in nats.

    N  batch                                        x       (M, C)  logits, the input
    C  classes                                      target  (M,)    the index of the right class
    M  N times the sizes of all axes after C                or (M, C), a probability for each class
    e  label_smoothing                              weight  (C,)    of each class, 1 if absent
                                                    y       ()      output

Further axes, (N, C, d1, ...) with targets (N, d1, ...), count as batch: each place in them is a row of C logits, and
there are M rows. An input of shape (C,) is one row. Below, n counts rows and c classes.

cross_entropy, of class indices: the log-softmax, a gather, a mean
    F1  z = x - max_c x                               (M, C)  leaves F2 as it is, and no exponential can overflow
    F2  logp = z - log sum_c exp z                    (M, C)  log softmax x: each class's log-probability
    F3  ignored = target == ignore_index              (M,)    these rows take no part
    F4  label = target, 0 where ignored               (M,)    a class that can be looked up
    F5  share = weight[label], 0 where ignored        (M,)
    F6  picked = logp[n, label_n]                     (M,)    gather: one number of each row is read
    F7  nll = -share picked                           (M,)    against the right class
    F8  spread = -sum_c weight logp / C               (M,)    against all classes alike; not needed if e = 0
    F9  losses = (1 - e) nll + e spread, 0 if ignored (M,)
    F10 total = sum_n share, NaN for 0                ()
    F11 y = reduce(losses, total)                     ()      mean: sum losses / total; or the sum; or the losses

    B11 grad_losses = grad_y / total, 0 where ignored (M,)    F11 and F9: each row has the share 1 / total of the mean;
                                                              an ignored one does not reach it
    B9a grad_nll = (1 - e) grad_losses                (M,)    F9: times the other factor
    B9b grad_spread = e grad_losses                   (M,)    F9: likewise
    B7  grad_picked = -share grad_nll                 (M,)    F7: times the other factor
    B6  grad_logp = (grad_picked at label, else 0)
                    - weight grad_spread / C          (M, C)  F6 and F8: logp is used twice, so two gradients are added:
                                                              a gather becomes a scatter, a sum a broadcast
    B2  grad_z = grad_logp - exp(logp) sum_c grad_logp
                                                      (M, C)  F2: z_c reaches logp_c directly, and every logp of its row
                                                              through the sum: d log sum exp z / dz_c = exp(logp_c)
    B1  grad_x = grad_z                               (M, C)  F1: a row of grad_z sums to 0, so the path through max
                                                              adds 0

The simplification that the kernel uses, without smoothing. B6 has one nonzero entry in each row, -share
grad_losses = -k, which is also the row's sum; so B2 is

    grad_x = k (softmax(x) - onehot(label))                   the prediction minus the truth

cross_entropy_probabilities, of a distribution over the classes in each row
    F1  z = x - max_c x                               (M, C)  as above
    F2  logp = z - log sum_c exp z                    (M, C)
    F3  uniform = 1 / C                               (C,)    the distribution that knows nothing
    F4  q = ((1 - e) target + e uniform) weight       (M, C)  how much of a row's loss rests on each class
    F5  losses = -sum_c q logp                        (M,)
    F6  y = reduce(losses, M)                         ()      mean: sum losses / M, whatever the weights

    B6  grad_losses = grad_y / M                      ()      F6: each row has the share 1 / M of the mean
    B5  grad_logp = -q grad_losses                    (M, C)  F5: times the other factor; a sum becomes a broadcast
    B2  grad_z = grad_logp - exp(logp) sum_c grad_logp
                                                      (M, C)  F2: as above
    B1  grad_x = grad_z                               (M, C)  F1: as above

If every row is ignored, the mean is 0 / 0, NaN, and the gradient is 0, as no row took part. If the weights of all
targets are 0, the mean and the gradient are NaN. A row that contains NaN or +infinity becomes NaN throughout; if it is
ignored it adds nothing to the loss, but by B2 its gradient is NaN. All this is as in PyTorch.

Label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7. PyTorch's counterpart:
``torch.nn.CrossEntropyLoss``. Left out: the deprecated ``size_average`` and ``reduce``. Deliberate differences: class
probabilities have the input's dtype, where PyTorch promotes; a negative ``label_smoothing``, which PyTorch treats as 0,
raises.
"""

from typing import Any

import numpy as np

from scratch.checks import check_array, check_dtype, check_number
from scratch.dispatch import Pair
from scratch.nn.nll import ClassLoss, check_class_indices, flat_indices
from scratch.nn.reduction import reduce, reduce_backward


def cross_entropy(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Any, tuple]:
    """Return the cross-entropy between class indices and the softmax of ``x``, weighted and reduced."""
    z = x - x.max(axis=1, keepdims=True, initial=-np.inf)  # F1 (M, C)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F2 (M, C)
    ignored = target == ignore_index  # F3 (M,)
    label = np.where(ignored, 0, target)  # F4 (M,)
    share = np.where(ignored, 0, weight[label])  # F5 (M,)
    picked = logp[np.arange(len(x)), label]  # F6 (M,)
    nll = -share * picked  # F7 (M,)
    spread = -(weight * logp).sum(axis=1) / len(weight) if label_smoothing > 0 else 0.0  # F8 (M,)
    losses = np.where(ignored, 0, (1 - label_smoothing) * nll + label_smoothing * spread)  # F9 (M,)
    total = share.sum() or np.nan  # F10 ()
    y = reduce(losses, reduction, total)  # F11 ()
    return y, (logp, ignored, label, share, total)


def cross_entropy_backward(
    grad_y: Any, weight: np.ndarray, label_smoothing: float, reduction: str, saved: tuple
) -> np.ndarray:
    """Undo `cross_entropy`."""
    logp, ignored, label, share, total = saved
    grad_losses = np.where(ignored, 0, reduce_backward(grad_y, reduction, total))  # B11 (M,)
    grad_nll = (1 - label_smoothing) * grad_losses  # B9a (M,)
    grad_spread = label_smoothing * grad_losses if label_smoothing > 0 else np.zeros_like(grad_losses)  # B9b (M,)
    grad_picked = -share * grad_nll  # B7 (M,)
    grad_logp = np.where(np.arange(len(weight)) == label[:, None], grad_picked[:, None], 0) - weight * grad_spread[
        :, None
    ] / len(weight)  # B6 (M, C)
    grad_z = grad_logp - np.exp(logp) * grad_logp.sum(axis=1, keepdims=True)  # B2 (M, C)
    grad_x = grad_z  # B1 (M, C)
    return grad_x


def cross_entropy_probabilities(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray, label_smoothing: float, reduction: str
) -> tuple[Any, tuple]:
    """Return the cross-entropy between distributions over the classes and the softmax of ``x``, reduced."""
    z = x - x.max(axis=1, keepdims=True, initial=-np.inf)  # F1 (M, C)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F2 (M, C)
    uniform = np.ones_like(weight) / len(weight)  # F3 (C,)
    q = ((1 - label_smoothing) * target + label_smoothing * uniform) * weight  # F4 (M, C)
    losses = -(q * logp).sum(axis=1)  # F5 (M,)
    y = reduce(losses, reduction, len(x))  # F6 ()
    return y, (logp, q)


def cross_entropy_probabilities_backward(grad_y: Any, reduction: str, saved: tuple) -> np.ndarray:
    """Undo `cross_entropy_probabilities`."""
    logp, q = saved
    grad_losses = reduce_backward(grad_y, reduction, len(q))  # B6 ()
    grad_logp = -q * np.reshape(grad_losses, (-1, 1))  # B5 (M, C)
    grad_z = grad_logp - np.exp(logp) * grad_logp.sum(axis=1, keepdims=True)  # B2 (M, C)
    grad_x = grad_z  # B1 (M, C)
    return grad_x


class CrossEntropyLoss(ClassLoss):
    """Cross-entropy between a target and the softmax of logits.

    Parameters
    ----------
    weight : numpy.ndarray of shape (C,), or None
        Factor of each class's loss.
    ignore_index : int
        A target whose row takes no part in the loss. With class probabilities it must be negative.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged (by weight, for class indices), summed or returned one by one.
    label_smoothing : float
        The share e of the target that is spread evenly over all classes, within [0, 1].

    Raises
    ------
    IndexError
        If a class index is not within [0, C) and not ``ignore_index``.
    ValueError
        If the batch of the targets is not the input's.
    RuntimeError
        If another size or a dtype does not fit, or ``label_smoothing`` is not within [0, 1].

    Examples
    --------
    >>> criterion = CrossEntropyLoss()
    >>> float(criterion(np.array([[0.0, 0.0], [0.0, 1e4]]), np.array([1, 0])).round(6))
    5000.346574
    >>> criterion.backward()
    array([[ 0.25, -0.25],
           [-0.5 ,  0.5 ]])
    """

    functions = cross_entropy, cross_entropy_backward
    functions_of_probabilities = cross_entropy_probabilities, cross_entropy_probabilities_backward

    def __init__(
        self,
        weight: np.ndarray | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        check_number(self, "label_smoothing", label_smoothing)
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"CrossEntropyLoss: expected label_smoothing within [0, 1], got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def check_pair(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless input, target and weight fit each other."""
        check_array(self, x)
        if np.shape(target) == x.shape:
            self._check_probabilities(x, target)
        else:
            check_class_indices(self, x, target, self.ignore_index)
        self.check_weight(x)

    def _check_probabilities(self, x: np.ndarray, target: np.ndarray) -> None:
        check_dtype(self, target, x.dtype, "target (of the input's shape, so class probabilities)")
        if x.ndim == 0:
            raise RuntimeError("CrossEntropyLoss: expected input of shape (C,) or (N, C, ...), got ()")
        if self.ignore_index >= 0:
            raise RuntimeError(
                f"CrossEntropyLoss: ignore_index={self.ignore_index} names a class index, but the target holds class "
                "probabilities"
            )

    def pair_for(self, x: np.ndarray, target: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair of functions for these inputs, and its forward's arguments after ``x``."""
        weight, options = self.class_weight(x), (self.label_smoothing, self.reduction)
        if target.shape == x.shape:
            return self.functions_of_probabilities, (self.fold(target), weight, *options)
        return self.functions, (flat_indices(target), weight, self.ignore_index, *options)
