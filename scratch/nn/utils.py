"""Gradient clipping: by the length of the whole gradient, which keeps its direction, or number by number.

    g       all gradients of all parameters, laid end to end as one vector
    k       norm_type

    F1  norms = |g of each parameter|_k               one number a parameter; |x|_k = (sum_i |x_i|^k)^(1/k)
    F2  total = |norms|_k                             ()  = |g|_k: the norm of a vector is that of its parts' norms
    F3  factor = min(1, max_norm / (total + 1e-6))    ()  a gradient that is short enough is left as it is
    F4  g <- factor g

Clipping by the norm of the whole vector, and not of each parameter's part, keeps the direction of the step (Pascanu et
al., "On the Difficulty of Training Recurrent Neural Networks", 2013, section 3.2).

Clipping by value moves each number into [-clip_value, clip_value]. That turns the gradient towards its small numbers,
and bounds each number on its own.

PyTorch's counterparts: ``torch.nn.utils.clip_grad_norm_``, ``clip_grad_value_``. Left out: ``foreach``. Differs from
PyTorch: a negative ``clip_value``, which makes all numbers equal there, is refused; clipping by value without any
gradient does nothing, where PyTorch fails.
"""

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from scratch import dispatch
from scratch.nn.parameter import Parameter
from scratch.nn.parameter_vector import parameters_to_vector, refuse_module, vector_to_parameters

__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "vector_to_parameters"]


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

    A parameter whose ``grad`` is None is ignored. An infinite norm makes every finite gradient 0 and every infinite one
    NaN, and a norm that is NaN makes all gradients NaN, as in PyTorch.

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
        If ``parameters`` is a Module, or ``max_norm`` is not a number.
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
    learning = _learning("clip_grad_norm_", parameters, "max_norm", max_norm)
    k = float(norm_type)
    if np.isnan(k):
        raise ValueError("clip_grad_norm_: expected norm_type to be a number, got nan")
    if not learning:
        return np.float32(0)
    total = dispatch.run(total_norm, [parameter.grad for parameter in learning], k)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of order {k} of the gradients is {total}, so they cannot be clipped; "
            "error_if_nonfinite=False scales them by it anyway"
        )
    dispatch.run(scale_grads_, learning, dispatch.run(clip_factor, total, float(max_norm)))
    return total


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Move each number of the gradients of ``parameters`` into [-clip_value, clip_value], in place.

    A parameter whose ``grad`` is None is ignored. NaN stays NaN.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Whose gradients to clip.
    clip_value : float
        The largest absolute value.

    Raises
    ------
    TypeError
        If ``parameters`` is a Module, or ``clip_value`` is not a number.
    ValueError
        If ``clip_value`` is negative or NaN.

    Examples
    --------
    >>> parameter = Parameter(np.zeros(3))
    >>> parameter.grad = np.array([3.0, -4.0, 0.5])
    >>> clip_grad_value_([parameter], clip_value=2.0)
    >>> parameter.grad
    array([ 2. , -2. ,  0.5])
    """
    for parameter in _learning("clip_grad_value_", parameters, "clip_value", clip_value):
        parameter.grad[...] = np.clip(parameter.grad, -float(clip_value), float(clip_value))


def _learning(owner: str, parameters: Any, name: str, bound: Any) -> list[Any]:
    """Return the parameters that have a gradient, or raise if they or the bound are not valid."""
    refuse_module(owner, parameters)
    if not isinstance(bound, numbers.Real):
        raise TypeError(f"{owner}: expected {name} to be a number, got {bound!r}")
    if not float(bound) >= 0:
        raise ValueError(f"{owner}: expected {name} of 0 or more, got {bound}")
    every = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    return [parameter.hold_arrays() for parameter in every if parameter.grad is not None]
