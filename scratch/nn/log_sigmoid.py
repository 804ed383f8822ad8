r"""LogSigmoid: the logarithm of the sigmoid, in one step, so that no probability is rounded to 0 first.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

log_sigmoid
    F1  y = -log(1 + exp(-x))              (...)   log(1 / (1 + exp(-x))), by logaddexp: no exponential can overflow
    B1  grad_x = grad_y / (1 + exp(x))     (...)   F1: 1 - sigmoid(x), the sigmoid of -x

For large x, exp(x) overflows to infinity, and 1 / (1 + exp(x)) is still right: 0.

PyTorch's counterpart: ``torch.nn.LogSigmoid``.
"""

import numpy as np

from scratch.nn.layer import Layer


def log_sigmoid(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithm of the sigmoid of ``x``."""
    y = -np.logaddexp(0, -x)  # F1 (...)
    return y, (x,)


def log_sigmoid_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `log_sigmoid`."""
    (x,) = saved
    grad_x = grad_y / (1 + np.exp(x))  # B1 (...)
    return grad_x


class LogSigmoid(Layer):
    """The logarithm of the logistic curve, y = -log(1 + exp(-x)); any shape. Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = LogSigmoid()
    >>> np.exp(layer(np.array([0.0, np.log(3.0)])))
    array([0.5 , 0.75])
    >>> layer.backward(np.array([4.0, 16.0]))
    array([2., 4.])
    """

    functions = log_sigmoid, log_sigmoid_backward

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()
