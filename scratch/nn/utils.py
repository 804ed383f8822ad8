"""Gradient clipping: shorten the gradient to a largest length, and keep its direction.

    g       all gradients of all parameters, laid end to end as one vector
    k       norm_type

    F1  norms = |g of each parameter|_k               one number a parameter; |x|_k = (sum_i |x_i|^k)^(1/k)
    F2  total = |norms|_k                             ()  = |g|_k: the norm of a vector is that of its parts' norms
    F3  factor = min(1, max_norm / (total + 1e-6))    ()  a gradient that is short enough is left as it is
    F4  g <- factor g

Clipping by the norm of the whole vector, and not of each parameter's part, keeps the direction of the step (Pascanu et
al., "On the Difficulty of Training Recurrent Neural Networks", 2013, section 3.2).

PyTorch's counterpart: ``torch.nn.utils.clip_grad_norm_``. Left out: ``foreach``.
"""

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter


def total_norm(grads: list[np.ndarray], norm_type: float) -> np.floating:
    """Return the norm of all gradients together."""
    norms = np.stack([np.linalg.norm(grad.reshape(-1), norm_type) for grad in grads])  # F1 (len(grads),)
    total = np.linalg.norm(norms, norm_type)  # F2 ()
    return total


def clip_factor(total: np.floating, max_norm: float) -> np.floating:
    """Return the factor that shortens a vector of norm ``total`` to ``max_norm``."""
    factor = np.minimum(max_norm / (total + 1e-6), 1)  # F3 ()
    return factor


def scale_grads_(parameters: list[Any], factor: np.floating) -> None:
    """Multiply the gradients by ``factor``, in place."""
    for parameter in parameters:
        parameter.grad *= factor  # F4


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
) -> np.floating:
    """Scale the gradients of ``parameters`` in place so that their norm is at most ``max_norm``.

    A parameter whose ``grad`` is None counts as absent. A norm that is infinite makes every finite gradient 0 and every
    infinite one NaN, and a norm that is NaN makes all NaN, as in PyTorch.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Whose gradients to clip.
    max_norm : float
        The largest norm.
    norm_type : float
        The k of the norm, ``float("inf")`` for the largest absolute value, max_i |g_i|.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN is an error.

    Returns
    -------
    numpy scalar
        The norm before clipping, of the gradients' dtype; 0.0 if there are no gradients.

    Raises
    ------
    TypeError
        If ``parameters`` is a Module, or ``max_norm`` is no number.
    ValueError
        If ``max_norm`` is negative or NaN, or ``norm_type`` is NaN.
    RuntimeError
        If ``error_if_nonfinite`` and the norm is not finite; nothing has been changed then.

    Examples
    --------
    >>> parameter = Parameter(np.zeros(2))
    >>> parameter.grad = np.array([3.0, 4.0])
    >>> float(clip_grad_norm_([parameter], max_norm=2.5))
    5.0
    >>> parameter.grad.round(5)
    array([1.5, 2. ])
    """
    _check(parameters, max_norm)
    parameters = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    k = float(norm_type)
    if np.isnan(k):
        raise ValueError("clip_grad_norm_: expected norm_type to be a number, got nan")
    learning = [parameter for parameter in parameters if parameter.grad is not None]
    if not learning:
        return np.float32(0)
    total = dispatch.run(total_norm, [parameter.grad for parameter in learning], k)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of order {k} of the gradients is {total}, so they cannot be clipped; "
            "error_if_nonfinite=False scales them by it all the same"
        )
    dispatch.run(scale_grads_, learning, dispatch.run(clip_factor, total, float(max_norm)))
    return total


def _check(parameters: Any, max_norm: Any) -> None:
    if isinstance(parameters, Module):
        raise TypeError(
            f"clip_grad_norm_: expected parameters, got the module {type(parameters).__name__}; pass model.parameters()"
        )
    if not isinstance(max_norm, numbers.Real):
        raise TypeError(f"clip_grad_norm_: expected max_norm to be a number, got {max_norm!r}")
    if not float(max_norm) >= 0:
        raise ValueError(f"clip_grad_norm_: expected max_norm of 0 or more, got {max_norm}")
