r"""Cross-entropy: how many nats it costs to be told the right class by a model that expected others.

    N  batch                                        x  (N, C)  logits, the input
    C  classes                                      t  (N,)    target, the index of the right class
    M  N times the sizes of all axes after C             or (N, C), a probability for each class
    w  (C,)  weight of each class, 1 if absent      e  ()      label_smoothing
    L  the loss of the whole model, a scalar        y  ()      output

Further axes, (N, C, d1, ...) with targets (N, d1, ...), act as more batch: each place in them is a row of C logits, and
there are M rows. An input of shape (C,) is one row. Below, n counts rows and c classes.

Forward
    F1  z = x - max_c x                       (M, C)   leaves F2 as it is, and no exponential of z can overflow
    F2  p = z - log sum_c exp z               (M, C)   log softmax x: the logarithm of each class's probability
    F3  l_n = -sum_c q_nc p_nc                (M,)     q_nc says how much of the row's loss rests on class c:
            class indices         q_nc = w_c [c = t_n]
            with smoothing        q_nc = w_c ((1 - e) [c = t_n] + e / C)
            class probabilities   q_nc = w_c ((1 - e) t_nc + e / C)
        and l_n = 0 for a row whose target is ignore_index: it takes no part
    F4  y = sum_n l_n / total                 ()       reduction "mean": total is the sum of w_(t_n) over the rows that
                                                       are not ignored, M for class probabilities; the sum alone for
                                                       "sum"; l itself, (N, d1, ...), for "none"

Backward, from grad_y = dL/dy
    B4  grad_l = grad_y / total               ()       F4: each row had the same share; 0 for an ignored row
    B3  grad_p = -q grad_l                    (M, C)   F3: l is linear in p
    B2  grad_z = grad_p - exp(p) sum_c grad_p (M, C)   F2: z_c reaches p_c directly, and every p of its row through the
                                                       sum: d log sum exp z / dz_c = exp z_c / sum exp z = exp p_c
    B1  grad_x = grad_z                       (M, C)   F1: a row of grad_z sums to 0, so the path through max adds 0

The simplification that the code uses: for class indices without smoothing q has one entry in each row, k_n = w_(t_n).
F3 then reads one log-probability, as `NLLLoss` does, and B3 put into B2 needs no q:

    grad_x = grad_l k_n (softmax(x) - onehot(t))       the prediction minus the truth

Nothing left: if every row is ignored the mean is 0 / 0, NaN, and the gradient is 0, as no row took part. If the weights
of all targets are 0, the mean and the gradient are NaN. A row that holds NaN or +infinity is NaN throughout; where it
is ignored it adds nothing to the loss, but by B2 its gradient is NaN. All this is PyTorch's.

Label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7. PyTorch's counterpart:
``torch.nn.CrossEntropyLoss``. Left out: the deprecated ``size_average`` and ``reduce``. Deliberate differences: class
probabilities have the input's dtype, where PyTorch promotes; a negative ``label_smoothing``, which PyTorch takes for 0,
is refused.
"""

import numpy as np

from scratch.checks import check_array, check_dtype
from scratch.nn.loss import quiet
from scratch.nn.nll import ClassLoss, Rows, rows_of, shape_rows


class CrossEntropyLoss(ClassLoss):
    """Cross-entropy between a target and the softmax of logits.

    Parameters
    ----------
    weight : numpy.ndarray of shape (C,), or None
        Factor of each class's loss.
    ignore_index : int
        A target that takes no part in the loss. With class probabilities it must be negative.
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

    def __init__(
        self,
        weight: np.ndarray | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"CrossEntropyLoss: expected label_smoothing within [0, 1], got {label_smoothing}")
        self.label_smoothing = label_smoothing

    @quiet
    def forward(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the loss of logits (N, C, ...) against indices (N, ...) or probabilities (N, C, ...)."""
        check_array(self, x)
        probabilities = np.shape(target) == x.shape
        if probabilities:
            self.check_probabilities(x, target)
        else:
            self.check_indices(x, target)
        logits = rows_of(x)
        self.check_weight(logits)
        z = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)  # F1 (M, C)
        p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # F2 (M, C)
        rows = Rows(None, None, None, 1.0, len(p)) if probabilities else self.look_up(target, p)
        if probabilities or self.label_smoothing > 0:
            q = self.shares(rows_of(target) if probabilities else one_hot(rows, p))
            losses = rows.keep(-(q * p).sum(axis=1))  # F3 (M,)
        else:
            q = None
            losses = rows.keep(-rows.k * p[rows.n, rows.t])  # F3 (M,)
        shape = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
        self.save_for_backward(p=p, q=q, rows=rows, shape=shape, input_shape=x.shape)
        return self.reduce(losses.reshape(shape), rows.total)  # F4 ()

    @quiet
    def backward(self, grad_output: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the gradient with respect to the logits."""
        p, q, rows, shape, input_shape = self.saved("p", "q", "rows", "shape", "input_shape")
        grad_losses = rows.keep(self.undo_reduce(grad_output, shape, p.dtype, rows.total).reshape(-1))  # B4 (M,)
        grad_x = np.exp(p)
        if q is None:
            k = rows.k * grad_losses
            grad_x *= k[:, None]
            grad_x[rows.n, rows.t] -= k  # B3, B2, B1 (M, C)
        else:
            grad_p = -q * grad_losses[:, None]  # B3 (M, C)
            grad_x *= -grad_p.sum(axis=1, keepdims=True)
            grad_x += grad_p  # B2, B1 (M, C)
        return shape_rows(grad_x, input_shape)

    def shares(self, target: np.ndarray) -> np.ndarray:
        """Return F3's q for a distribution over the classes in each row."""
        q = target
        if self.label_smoothing > 0:
            q = (1 - self.label_smoothing) * q + self.label_smoothing / q.shape[1]
        return q if self.weight is None else q * self.weight

    def check_probabilities(self, x: np.ndarray, target: np.ndarray) -> None:
        """Raise ``RuntimeError`` unless ``target`` can be class probabilities for the input."""
        check_dtype(self, target, x.dtype, "target (of the input's shape, so class probabilities)")
        if x.ndim == 0:
            raise RuntimeError("CrossEntropyLoss: expected input of shape (C,) or (N, C, ...), got ()")
        if self.ignore_index >= 0:
            raise RuntimeError(
                f"CrossEntropyLoss: ignore_index={self.ignore_index} names a class index, but the target holds class "
                "probabilities"
            )


def one_hot(rows: Rows, like: np.ndarray) -> np.ndarray:
    """Return an array like ``like`` with 1 at the right class of each row and 0 elsewhere."""
    target = np.zeros_like(like)
    target[rows.n, rows.t] = 1
    return target
