r"""Sigmoid, Tanh, SiLU, Softplus: the smooth curves made of one exponential.

Each output depends on one input, so the Jacobian is diagonal and backward is a product element by element:

    grad_x = grad_y * f'(x)                 every array has the shape of x

    s(x)  the sigmoid 1 / (1 + exp(-x))     b     beta, of Softplus

Forward
    F1  Sigmoid     y = s(x)
    F1  Tanh        y = tanh(x)
    F1  SiLU        y = x s(x)
    F1  Softplus    y = log(1 + exp(b x)) / b,   or y = x where b x > threshold

Backward
    B1  Sigmoid     grad_x = grad_y y (1 - y)               s' = exp(-x) / (1 + exp(-x))^2 = s (1 - s)
    B1  Tanh        grad_x = grad_y (1 - y^2)               tanh' = 1 - tanh^2
    B1  SiLU        grad_x = grad_y s (1 + x (1 - s))       the product rule: s + x s (1 - s)
    B1  Softplus    grad_x = grad_y s(b x),  or grad_y where b x > threshold      b exp(b x) / (1 + exp(b x)) / b

The derivatives of Sigmoid and Tanh are functions of the output alone, so the output is all that they keep.

For large inputs exp(-x) goes to 0 or to infinity, and the quotient 1 / (1 + exp(-x)) to 1 or to 0: exp may overflow,
the result does not. The logarithm of Softplus would, so it is computed as

    log(1 + exp(z)) = max(0, z) + log(1 + exp(-|z|)),   z = b x

Differs from PyTorch: with a threshold over log of the largest float (88 in float32, 709 in float64) PyTorch's Softplus
overflows between there and the threshold; this one is right.

Sources: Elfwing, Uchibe and Doya, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
Reinforcement Learning", 2018 (SiLU); Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option
Pricing", 2001 (Softplus).

PyTorch's counterparts: ``torch.nn.Sigmoid``, ``Tanh``, ``SiLU``, ``Softplus``. Left out: ``inplace=True``, since an
input is never written to.
"""

import numpy as np

from scratch.checks import check_array, check_grad_output, check_not_inplace
from scratch.kernels import memory
from scratch.nn.module import Module


@np.errstate(over="ignore")
def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) element by element, for any float32 or float64 array."""
    y = np.negative(x, out=memory.empty_like(x))
    np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


class Sigmoid(Module):
    """The logistic curve from 0 to 1, y = 1 / (1 + exp(-x)). Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = Sigmoid()
    >>> layer(np.array([0.0, np.log(3.0), -1e4]))
    array([0.5 , 0.75, 0.  ])
    >>> layer.backward(np.array([4.0, 16.0, 1.0]))
    array([1., 3., 0.])
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        y = sigmoid(x)  # F1
        self.save_for_backward(y=y)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope, at most 1/4."""
        y = self.saved("y")
        check_grad_output(self, grad_output, y.shape, y.dtype)
        grad_x = np.subtract(1.0, y, out=memory.empty_like(y))
        grad_x *= y
        grad_x *= grad_output  # B1
        return grad_x


class Tanh(Module):
    """The hyperbolic tangent, from -1 to 1. Ignores arguments, as PyTorch's does.

    Examples
    --------
    >>> layer = Tanh()
    >>> layer(np.array([0.0, 1e4]))
    array([0., 1.])
    >>> layer.backward(np.array([5.0, 6.0]))
    array([5., 0.])
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        y = np.tanh(x, out=memory.empty_like(x))  # F1
        self.save_for_backward(y=y)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope, at most 1."""
        y = self.saved("y")
        check_grad_output(self, grad_output, y.shape, y.dtype)
        grad_x = np.multiply(y, y, out=memory.empty_like(y))
        np.subtract(1.0, grad_x, out=grad_x)
        grad_x *= grad_output  # B1
        return grad_x


class SiLU(Module):
    """The input times its own sigmoid, also known as Swish.

    Parameters
    ----------
    inplace : bool
        False; True is left out, and refused with ``ValueError``.

    Examples
    --------
    >>> layer = SiLU()
    >>> layer(np.array([0.0, 1e4, -1e4]))
    array([    0., 10000.,    -0.])
    >>> layer.backward(np.array([4.0, 5.0, 6.0]))
    array([ 2.,  5., -0.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_not_inplace(self, inplace)

    @np.errstate(invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        s = sigmoid(x)
        self.save_for_backward(x=x, s=s)
        return np.multiply(x, s, out=memory.empty_like(x))  # F1

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope, which is negative left of -1.28."""
        x, s = self.saved("x", "s")
        check_grad_output(self, grad_output, x.shape, x.dtype)
        grad_x = np.subtract(1.0, s, out=memory.empty_like(s))
        grad_x *= x
        grad_x += 1.0
        grad_x *= s
        grad_x *= grad_output  # B1
        return grad_x


class Softplus(Module):
    """A smooth version of the positive part, y = log(1 + exp(beta x)) / beta.

    Parameters
    ----------
    beta : float
        How sharp the bend is.
    threshold : float
        Where ``beta * x`` is larger, y = x: the difference is below rounding at the default.

    Examples
    --------
    >>> layer = Softplus()
    >>> np.exp(layer(np.array([np.log(3.0), -1e4])))
    array([4., 1.])
    >>> layer.backward(np.array([4.0, 5.0]))
    array([3., 0.])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    @np.errstate(divide="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        z = np.multiply(x, self.beta, out=memory.empty_like(x))
        y = np.abs(z, out=memory.empty_like(z))
        np.negative(y, out=y)
        np.exp(y, out=y)
        np.log1p(y, out=y)
        y += np.maximum(0.0, z)
        y /= self.beta
        np.copyto(y, x, where=z > self.threshold)  # F1
        self.save_for_backward(z=z)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the sigmoid of beta times the input, or by 1 above the threshold."""
        z = self.saved("z")
        check_grad_output(self, grad_output, z.shape, z.dtype)
        slope = sigmoid(z)
        np.copyto(slope, 1.0, where=z > self.threshold)
        slope *= grad_output
        return slope  # B1

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"
