r"""Negative log-likelihood: minus the log-probability of the class that was right, given log-probabilities.

    N  batch                                        p  (N, C)  log-probabilities, the input
    C  classes                                      t  (N,)    target, the index of the right class
    M  N times the sizes of all axes after C        w  (C,)    weight of each class, 1 if absent
    L  the loss of the whole model, a scalar        y  ()      output

Further axes, (N, C, d1, ...) with targets (N, d1, ...), act as more batch: each place in them is a row of C numbers,
and there are M rows. An input of shape (C,) is one row. Below, n counts rows and c classes.

Forward
    F1  k_n = w_(t_n), and 0 where t_n is ignore_index   (M,)
    F2  l_n = -k_n p_(n, t_n)                            (M,)     0 for an ignored row, whatever p is there
    F3  y = sum_n l_n / sum_n k_n                        ()       reduction "mean"; the sum for "sum"; l for "none"

Backward, from grad_y = dL/dy
    B3  grad_l = grad_y / sum_n k_n                      ()       F3: every row had the same share; 0 for an ignored row
    B2  grad_p = -k_n grad_l at c = t_n, 0 elsewhere     (M, C)   F2: only the right class's entry was read

Nothing left: if every row is ignored the mean is 0 / 0, NaN, and the gradient is 0, as no row took part. If the weights
of all targets are 0, the mean is NaN, and so is the gradient where an entry was read.

PyTorch's counterpart: ``torch.nn.NLLLoss``. Left out: the deprecated ``size_average`` and ``reduce``.
"""

from typing import NamedTuple

import numpy as np

from scratch.checks import check_array, check_dtype, name_of
from scratch.nn.loss import Loss, quiet

INDEX_DTYPES = (np.dtype(np.int64), np.dtype(np.uint8))


def rows_of(x: np.ndarray) -> np.ndarray:
    """Map (N, C, d1, ...) to (M, C), and (C,) to (1, C)."""
    if x.ndim == 2:
        return x
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim > 2 else x.reshape(1, -1)


def shape_rows(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Map (M, C) back to ``shape``, which is (N, C, d1, ...) or (C,)."""
    if len(shape) <= 2:
        return rows.reshape(shape)
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


class Rows(NamedTuple):
    """What the targets say about each of the M rows."""

    n: np.ndarray  # (M,) 0, 1, 2, ...: p[n, t] are the entries of the right classes
    t: np.ndarray  # (M,) the right classes; 0 for an ignored row
    ignored: np.ndarray | None  # (M,) whether the row is ignored; None if none is
    k: np.ndarray | float  # (M,) the row's weight, 0 for an ignored row; or 1.0, the weight of all
    total: float  # the sum of k; NaN for 0, so that a mean over no weight is NaN, and not infinite

    def keep(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` with 0 for the ignored rows, even where they are NaN."""
        return values if self.ignored is None else np.where(self.ignored, 0, values)


class ClassLoss(Loss):
    """What the losses over classes share: their options, and which targets fit them."""

    def __init__(self, weight: np.ndarray | None, ignore_index: int, reduction: str) -> None:
        super().__init__(reduction)
        if not isinstance(ignore_index, (int, np.integer)):
            raise TypeError(f"{name_of(self)}: expected ignore_index to be an int, got {ignore_index!r}")
        if weight is not None:
            check_array(self, weight, "weight")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def check_weight(self, rows: np.ndarray) -> None:
        """Raise ``RuntimeError`` unless the weight is absent, or has the input's dtype and an element a class."""
        if self.weight is None:
            return
        check_dtype(self, self.weight, rows.dtype, "weight")
        if self.weight.shape != rows.shape[1:]:
            raise RuntimeError(
                f"{name_of(self)}: expected weight of shape {rows.shape[1:]}, one a class, got {self.weight.shape}"
            )

    def check_indices(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise unless ``target`` is an array of class indices that fits the input's shape."""
        if not isinstance(target, np.ndarray):
            raise TypeError(f"{name_of(self)}: expected target to be a numpy.ndarray, got {type(target).__name__}")
        expected = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
        if target.shape != expected:
            other_batch = target.shape[:1] != x.shape[:1] if x.ndim > 1 else target.ndim == 1 and target.size != 1
            raise (ValueError if other_batch else RuntimeError)(
                f"{name_of(self)}: expected target of shape {expected} for input of shape {x.shape}, got {target.shape}"
            )
        if target.dtype not in INDEX_DTYPES:
            raise RuntimeError(
                f"{name_of(self)}: expected class indices of dtype int64 or uint8, got {target.dtype}; "
                "convert them with .astype(np.int64)"
            )

    def look_up(self, target: np.ndarray, rows: np.ndarray) -> Rows:
        """Return what the class indices say about each row.

        Raises
        ------
        IndexError
            If a class is not within [0, C) and not ``ignore_index``.
        """
        t, classes, ignored = target.reshape(-1).astype(np.int64, copy=False), rows.shape[1], None
        # As unsigned numbers negative indices are huge, so that one comparison finds those on either side.
        fits = t.size == 0 or t.view(np.uint64).max() < classes
        if not fits or self.ignore_index >= 0:
            ignored = t == self.ignore_index
            outside = t[~ignored & ((t < 0) | (t >= classes))]
            if outside.size:
                raise IndexError(f"{name_of(self)}: target {outside[0]} is out of bounds for {classes} classes")
            t = np.where(ignored, 0, t)
        if self.weight is None and ignored is None:
            return Rows(np.arange(t.size), t, None, 1.0, t.size)
        k = np.ones(t.size, rows.dtype) if self.weight is None else self.weight[t]  # F1 (M,)
        if ignored is not None:
            k[ignored] = 0
        return Rows(np.arange(t.size), t, ignored, k, k.sum() or np.nan)


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

    def __init__(self, weight: np.ndarray | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, ignore_index, reduction)

    @quiet
    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the loss of log-probabilities (N, C, ...) against class indices (N, ...)."""
        check_array(self, x)
        if x.ndim == 0:
            raise ValueError("NLLLoss: expected input of shape (C,) or (N, C, ...), got ()")
        self.check_indices(x, target)
        p = rows_of(x)
        self.check_weight(p)
        rows = self.look_up(target, p)  # F1 (M,)
        losses = rows.keep(-rows.k * p[rows.n, rows.t])  # F2 (M,)
        self.save_for_backward(rows=rows, x=x, target=target)
        return self.reduce(losses.reshape(target.shape), rows.total)  # F3 ()

    @quiet
    def backward(self, grad_output: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the gradient with respect to the log-probabilities."""
        rows, x, target = self.saved("rows", "x", "target")
        grad_losses = rows.keep(self.undo_reduce(grad_output, target.shape, x.dtype, rows.total).reshape(-1))  # B3 (M,)
        grad_p = np.zeros_like(rows_of(x))
        grad_p[rows.n, rows.t] = -rows.k * grad_losses  # B2 (M, C)
        return shape_rows(grad_p, x.shape)
