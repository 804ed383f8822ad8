r"""Softsign: from -1 to 1 like the hyperbolic tangent, but approaching its limits far more slowly.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

softsign
    F1  d = 1 + |x|                                    (...)
    F2  y = x / d                                      (...)
    B2  grad_d = -grad_y y / d                         (...)   F2: a quotient, by its denominator
    B1  grad_x = grad_y / d + grad_d sign(x)           (...)   F2 and F1: x is used twice, above and below the line

Put together, grad_x = grad_y / d^2: a slope that falls as 1 / x^2, where tanh's falls as exp(-2 |x|). At 0 the two
halves meet with the slope 1.

As in PyTorch, infinity over infinity is NaN: so are y and the gradient at both infinities.

Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, section 3.
PyTorch's counterpart: ``torch.nn.Softsign``.
"""

import numpy as np

from scratch.nn.layer import Layer


def softsign(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return x / (1 + abs(x))."""
    d = 1 + np.abs(x)  # F1 (...)
    y = x / d  # F2 (...)
    return y, (x, d, y)


def softsign_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softsign`."""
    x, d, y = saved
    grad_d = -grad_y * y / d  # B2 (...)
    grad_x = grad_y / d + grad_d * np.sign(x)  # B1 (...)
    return grad_x


class Softsign(Layer):
    """The curve y = x / (1 + abs(x)), from -1 to 1; any shape. Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = Softsign()
    >>> layer(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    >>> layer.backward(np.array([4.0, 5.0, 16.0]))
    array([1., 5., 1.])
    """

    functions = softsign, softsign_backward

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()
