"""Gradient clipping: shorten the gradient to a largest length, and keep its direction.

    g  all gradients of all parameters, laid end to end as one vector
    F1  total = |g|_k                           (sum_i |g_i|^k)^(1/k); max_i |g_i| for k = infinity
    F2  c = min(1, max_norm / (total + 1e-6))   a gradient that is short enough is left as it is
    F3  g <- c g

Clipping by the norm of the whole vector, and not of each parameter's part, keeps the direction of the step (Pascanu et
al., "On the Difficulty of Training Recurrent Neural Networks", 2013, section 3.2).

PyTorch's counterpart: ``torch.nn.utils.clip_grad_norm_``. Left out: ``foreach``.
"""

from collections.abc import Iterable

import numpy as np

from scratch.nn.parameter import Parameter


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
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
        The k of the norm, ``float("inf")`` for the largest absolute value.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN is an error.

    Returns
    -------
    numpy scalar
        The norm before clipping, of the gradients' dtype; 0.0 if there are no gradients.

    Raises
    ------
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
    if isinstance(parameters, Parameter):
        parameters = [parameters]
    norm_type = float(norm_type)
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not grads:
        return np.float32(0)
    norms = np.stack([np.linalg.norm(grad.reshape(-1), norm_type) for grad in grads])
    total = np.linalg.norm(norms, norm_type)  # F1
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"clip_grad_norm_: the norm of order {norm_type} of the gradients is {total}, so they cannot be clipped; "
            "error_if_nonfinite=False scales them by it all the same"
        )
    c = np.minimum(max_norm / (total + 1e-6), 1)  # F2
    for grad in grads:
        grad *= c  # F3
    return total
