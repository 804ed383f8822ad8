r"""Gaussian negative log-likelihood: a network that predicts a number, and how far off it expects to be.

    x    (...)  input: the mean               n        number of elements of x
    t    (...)  target                        eps      the smallest variance that is used
    var  (...)  variance; one for each x, or  half     log(2 pi) / 2 if the constant counts (``full``), else 0
                one for several               y        () or (...)  output

gaussian_nll_loss
    F1  wide = var, with a last axis of 1 where it has one less than x     (...)
    F2  v = max(wide, eps)                                                 (...)
    F3  d = x - t                                                          (...)
    F4  losses = (log v + d^2 / v) / 2 + half                              (...)   -log of the density at t; v is
                                                                                   broadcast
    F5  y = reduce(losses, n)                                              ()

    B5  grad_losses = grad_y / n                                           ()      F5: the share 1 / n of the mean
    B4a grad_d = grad_losses d / v                                         (...)   F4: the square's slope 2 d, halved
    B4b grad_v = sum of grad_losses (1 - d^2 / v) / (2 v)                  (...)   F4: the derivatives of log v and
                                                                                   1 / v; a broadcast becomes a sum
    B3a grad_target = -grad_d                                              (...)   F3: a sign
    B3b grad_x = grad_d                                                    (...)   F3: x has the factor 1
    B2  grad_wide = grad_v                                                 (...)   F2: the floor is not differentiated,
                                                                                   as in PyTorch: the gradient passes
                                                                                   even where var < eps
    B1  grad_var = grad_wide in the shape of var                           (...)   F1

Where the squared error d^2 is larger than the variance, B4b is negative, so descent makes the variance larger, until it
equals the mean squared error. B4a divides by the variance: an example that is expected to be noisy teaches less.

Source: Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994. PyTorch's
counterpart: ``torch.nn.GaussianNLLLoss``.
"""

import math
from typing import Any

import numpy as np

from scratch.checks import check_dtype
from scratch.nn.reduction import Loss, check_pair, reduce, reduce_backward
from scratch.vjp import unbroadcast


def gaussian_nll_loss(
    x: np.ndarray, target: np.ndarray, var: np.ndarray, eps: float, half: float, reduction: str
) -> tuple[Any, tuple]:
    """Return minus the log-density of the targets under Gaussians, reduced."""
    wide = var.reshape(var.shape + (1,) * (x.ndim - var.ndim))  # F1 (...)
    v = np.maximum(wide, eps)  # F2 (...)
    d = x - target  # F3 (...)
    losses = (np.log(v) + d**2 / v) / 2 + half  # F4 (...)
    y = reduce(losses, reduction, d.size)  # F5 ()
    return y, (var.shape, v, d)


def gaussian_nll_loss_backward(grad_y: Any, reduction: str, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `gaussian_nll_loss`."""
    shape, v, d = saved
    grad_losses = reduce_backward(grad_y, reduction, d.size)  # B5 ()
    grad_d = grad_losses * d / v  # B4a (...)
    grad_v = unbroadcast(grad_losses * (1 - d**2 / v) / (2 * v), v.shape)  # B4b (...)
    grad_target = -grad_d  # B3a (...)
    grad_x = grad_d  # B3b (...)
    grad_wide = grad_v  # B2 (...)
    grad_var = grad_wide.reshape(shape)  # B1 (...)
    return grad_x, grad_target, grad_var


class GaussianNLLLoss(Loss):
    """Negative log-likelihood of targets under Gaussians whose means and variances a network predicts.

    Parameters
    ----------
    full : bool
        Whether the constant log(2 pi) / 2 is included.
    eps : float
        The smallest variance that is used; more than 0.
    reduction : {"mean", "sum", "none"}
        Whether the losses are averaged, summed or returned one by one.

    Shapes
    ------
    input (...), target (...), var (...): of the input's shape, of that shape without its last axis, or of that shape
    with 1 for one axis; a float stands for all. ``backward`` returns the gradients of all three, in their shapes.

    Raises
    ------
    ValueError
        If a variance is negative or its shape does not fit, or ``eps`` is not positive.
    RuntimeError
        If input and target differ in shape, or a dtype differs from the input's.

    Examples
    --------
    >>> criterion = GaussianNLLLoss()
    >>> float(criterion(np.array([1.0, 5.0]), np.array([0.0, 2.0]), np.array([1.0, 1.0])))
    2.5
    >>> grad_input, grad_target, grad_var = criterion.backward()
    >>> grad_input, grad_var
    (array([0.5, 1.5]), array([ 0., -2.]))
    """

    functions = gaussian_nll_loss, gaussian_nll_loss_backward
    inputs = 3
    grad_inputs = 3

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if eps <= 0:
            raise ValueError(f"GaussianNLLLoss: expected eps of more than 0, got {eps}")
        self.full, self.eps = full, eps

    def forward(self, x: np.ndarray, target: np.ndarray, var: np.ndarray | float) -> Any:  # type: ignore[override]
        """Return the loss: a scalar, or an array if the reduction is "none"."""
        check_pair(self, x, target)
        if isinstance(var, float):
            var = np.full(x.shape, var, x.dtype)
        check_dtype(self, var, x.dtype, "var")
        unequal = [one for one, size in zip(var.shape, x.shape, strict=False) if one != size]
        if var.shape != x.shape[:-1] and not (var.ndim == x.ndim and (not unequal or unequal == [1])):
            raise ValueError(
                f"GaussianNLLLoss: expected var of the input's shape {x.shape}, or of that shape without its last "
                f"axis, or with 1 for one axis, got {var.shape}"
            )
        if (var < 0).any():
            raise ValueError(f"GaussianNLLLoss: expected var of 0 or more, got {var.min()}")
        half = 0.5 * math.log(2 * math.pi) if self.full else 0.0
        return self.run(self.functions, x, target, var, self.eps, half, self.reduction)[0]
