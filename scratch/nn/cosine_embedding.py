r"""Cosine embedding loss: makes the angle between two vectors small (target 1) or large enough (target -1).

    x1, x2  (N, D)  inputs               t       (N,)  target, 1 or -1
    D       features                     margin  how large a cosine is small enough
    y       () or (N,)  output           EPS     keeps a vector of zeros from a division by 0

Inputs of shape (D,) are one row. Sums without an index are over D.

cosine_embedding_loss
    F1  dot = sum x1 x2                                            (N,)
    F2  square1 = sum x1^2 + EPS                                   (N,)
    F3  square2 = sum x2^2 + EPS                                   (N,)
    F4  size = sqrt(square1 square2)                               (N,)
    F5  cosine = dot / size                                        (N,)
    F6  losses = 1 - cosine where t = 1,
                 max(cosine - margin, 0) where t = -1, else 0      (N,)
    F7  y = reduce(losses, N)                                      ()

    B7  grad_losses = grad_y / N                                   ()      F7: the share 1 / N of the mean
    B6  grad_cosine = -grad_losses where t = 1, grad_losses
                      where t = -1 and cosine > margin, else 0    (N,)    F6: the branch that was taken
    B5a grad_dot = grad_cosine / size                              (N,)    F5: a quotient, by its numerator
    B5b grad_size = -grad_cosine cosine / size                     (N,)    F5: and by its denominator
    B4a grad_square1 = grad_size square2 / (2 size)                (N,)    F4: the root's slope, times the other factor
    B4b grad_square2 = grad_size square1 / (2 size)                (N,)
    B3  grad_x2 = grad_dot x1 + 2 grad_square2 x2                  (N, D)  F3 and F1: x2 is used twice: an addition;
                                                                           each term of a sum has the sum's gradient
    B2  grad_x1 = grad_dot x2 + 2 grad_square1 x1                  (N, D)  F2 and F1: likewise

The cosine does not depend on a vector's length, so each gradient is orthogonal to its vector (up to EPS).

PyTorch's counterpart: ``torch.nn.CosineEmbeddingLoss``. Left out: the deprecated ``size_average`` and ``reduce``.
Deliberate difference: both inputs have one shape, where PyTorch broadcasts.
"""

from typing import Any

import numpy as np

from scratch.checks import check_dtype
from scratch.nn.reduction import Loss, check_alike, reduce, reduce_backward

# PyTorch's 1e-12 is a float32 for both dtypes, and the gradient at a vector of zeros shows the difference.
EPS = float(np.float32(1e-12))


def cosine_embedding_loss(
    x1: np.ndarray, x2: np.ndarray, target: np.ndarray, margin: float, reduction: str
) -> tuple[Any, tuple]:
    """Return how far the cosines of pairs are below 1, or above the margin, reduced."""
    dot = (x1 * x2).sum(axis=-1)  # F1 (N,)
    square1 = (x1**2).sum(axis=-1) + EPS  # F2 (N,)
    square2 = (x2**2).sum(axis=-1) + EPS  # F3 (N,)
    size = np.sqrt(square1 * square2)  # F4 (N,)
    cosine = dot / size  # F5 (N,)
    losses = np.where(target == 1, 1 - cosine, np.where(target == -1, np.maximum(cosine - margin, 0), 0))  # F6 (N,)
    y = reduce(losses, reduction, losses.size)  # F7 ()
    return y, (x1, x2, target, square1, square2, size, cosine)


def cosine_embedding_loss_backward(
    grad_y: Any, margin: float, reduction: str, saved: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """Undo `cosine_embedding_loss`."""
    x1, x2, target, square1, square2, size, cosine = saved
    grad_losses = reduce_backward(grad_y, reduction, size.size)  # B7 ()
    grad_cosine = np.where(
        target == 1, -grad_losses, np.where((target == -1) & (cosine - margin > 0), grad_losses, 0)
    )  # B6 (N,)
    grad_dot = grad_cosine / size  # B5a (N,)
    grad_size = -grad_cosine * cosine / size  # B5b (N,)
    grad_square1 = grad_size * square2 / (2 * size)  # B4a (N,)
    grad_square2 = grad_size * square1 / (2 * size)  # B4b (N,)
    grad_x2 = grad_dot[..., None] * x1 + 2 * grad_square2[..., None] * x2  # B3 (N, D)
    grad_x1 = grad_dot[..., None] * x2 + 2 * grad_square1[..., None] * x1  # B2 (N, D)
    return grad_x1, grad_x2


class CosineEmbeddingLoss(Loss):
    """1 minus the cosine of two vectors where the target is 1; its excess over ``margin`` where the target is -1.

    Parameters
    ----------
    margin : float
        The largest cosine that costs nothing if the target is -1; from -1 to 1.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Shapes
    ------
    input1 (N, D), input2 (N, D), target (N,); or (D,), (D,) and (). ``backward`` returns the gradients of both inputs.

    Raises
    ------
    RuntimeError
        If a shape or a dtype does not fit.

    Examples
    --------
    >>> criterion = CosineEmbeddingLoss(reduction="none")
    >>> one, other = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [5.0, 0.0]])
    >>> criterion(one, other, np.array([1.0, -1.0])).round(6)
    array([0.04, 1.  ])
    >>> criterion.backward(np.array([25.0, 1.0]))[0].round(6)
    array([[-1.12,  0.84],
           [ 0.  ,  0.  ]])
    """

    functions = cosine_embedding_loss, cosine_embedding_loss_backward
    inputs = 3
    grad_inputs = 2

    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: np.ndarray, x2: np.ndarray, target: np.ndarray) -> Any:  # type: ignore[override]
        """Return the loss: a scalar, or an array if the reduction is "none"."""
        check_alike(self, x1, input2=x2)
        check_dtype(self, target, x1.dtype, "target")
        if x1.ndim not in (1, 2) or target.shape != x1.shape[:-1]:
            raise RuntimeError(
                "CosineEmbeddingLoss: expected inputs of shape (N, D) and target of shape (N,), or (D,) and (), "
                f"got {x1.shape} and {target.shape}"
            )
        return self.run(self.functions, x1, x2, target, self.margin, self.reduction)[0]
