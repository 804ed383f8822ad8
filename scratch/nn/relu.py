r"""ReLU, LeakyReLU, ELU: a straight line for positive inputs, something flatter for the others.

Each output depends on one input alone, so the Jacobian is diagonal, and the vector-Jacobian product is an elementwise
product, grad_x = grad_y f'(x). All arrays have the shape of x.

    x  input         s  negative_slope
    y  output        a  alpha

relu
    F1  y = max(0, x)                                 (...)
    B1  grad_x = grad_y where y != 0, else 0          (...)   F1: the gradient takes the branch that was taken

leaky_relu
    F1  positive = x > 0                              (...)   which branch is taken
    F2  y = x where positive, else s x                (...)
    B2  grad_x = grad_y where positive, else s grad_y (...)   F2: the slope of the branch that was taken

elu
    F1  positive = x > 0                              (...)   which branch is taken
    F2  e = exp(min(0, x)) - 1                        (...)   expm1: no cancellation for small x
    F3  y = x where positive, else a e                (...)
    B3  grad_e = a grad_y where not positive, else 0  (...)   F3: the exponential's branch
    B2  grad_min = grad_e (e + 1)                     (...)   F2: the derivative of exp(x) - 1 is exp(x) = e + 1
    B1  grad_x = grad_y where positive, else grad_min (...)   F3 and F2: x is in both branches; one of them was taken

At the kink x = 0 there is no derivative. Like PyTorch we take the one from the left: 0, s and a. ReLU saves only its
output: y != 0 says the same as x > 0, and y is in memory anyway, as the input of the next layer.

In the forward pass NaN stays NaN. In the backward pass, as in PyTorch, ReLU passes the gradient through at NaN, and
LeakyReLU multiplies it by s. ELU gives NaN; PyTorch gives NaN or grad_y, depending on the dtype and the array's length.

Sources: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010; Maas, Hannun and Ng,
"Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013; Clevert, Unterthiner and Hochreiter, "Fast and
Accurate Deep Network Learning by Exponential Linear Units", 2016, equation 15.

PyTorch's counterparts: ``torch.nn.ReLU``, ``LeakyReLU``, ``ELU``. ``inplace=True`` is accepted but has no effect: an
input is never written to.
"""

import numpy as np

from scratch.checks import check_number
from scratch.nn.layer import Layer


def relu(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the positive part of ``x``."""
    y = np.maximum(0, x)  # F1 (...)
    return y, (y,)


def relu_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `relu`."""
    (y,) = saved
    grad_x = np.where(y != 0, grad_y, 0)  # B1 (...)
    return grad_x


def leaky_relu(x: np.ndarray, negative_slope: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and ``negative_slope`` times ``x`` elsewhere."""
    positive = x > 0  # F1 (...)
    y = np.where(positive, x, negative_slope * x)  # F2 (...)
    return y, (positive,)


def leaky_relu_backward(grad_y: np.ndarray, negative_slope: float, saved: tuple) -> np.ndarray:
    """Undo `leaky_relu`."""
    (positive,) = saved
    grad_x = np.where(positive, grad_y, negative_slope * grad_y)  # B2 (...)
    return grad_x


def elu(x: np.ndarray, alpha: float) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and an exponential elsewhere."""
    positive = x > 0  # F1 (...)
    e = np.expm1(np.minimum(0, x))  # F2 (...)
    y = np.where(positive, x, alpha * e)  # F3 (...)
    return y, (positive, e)


def elu_backward(grad_y: np.ndarray, alpha: float, saved: tuple) -> np.ndarray:
    """Undo `elu`."""
    positive, e = saved
    grad_e = np.where(positive, 0, alpha * grad_y)  # B3 (...)
    grad_min = grad_e * (e + 1)  # B2 (...)
    grad_x = np.where(positive, grad_y, grad_min)  # B1 (...)
    return grad_x


class ReLU(Layer):
    """The positive part, y = max(0, x), of an array of any shape.

    Parameters
    ----------
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([0., 0., 7.])
    """

    functions = relu, relu_backward

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class LeakyReLU(Layer):
    """A line of slope 1 for positive inputs and of ``negative_slope`` for the others; any shape.

    Parameters
    ----------
    negative_slope : float
        The slope s.
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = LeakyReLU(0.5)
    >>> layer(np.array([-1.0, 0.0, 2.0]))
    array([-0.5,  0. ,  2. ])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([2.5, 3. , 7. ])
    """

    functions = leaky_relu, leaky_relu_backward

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        check_number(self, "negative_slope", negative_slope)
        self.negative_slope = negative_slope

    def arguments(self) -> tuple:
        """Return `leaky_relu`'s arguments after ``x``."""
        return (self.negative_slope,)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"negative_slope={self.negative_slope}"


class ELU(Layer):
    """A line for positive inputs, and an exponential that levels off at ``-alpha`` for the others; any shape.

    Parameters
    ----------
    alpha : float
        The depth a.
    inplace : bool
        Has no effect: an input is never written to.

    Examples
    --------
    >>> layer = ELU(alpha=2.0)
    >>> layer(np.array([-np.log(2.0), 0.0, 3.0]))
    array([-1.,  0.,  3.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([ 5., 12.,  7.])
    """

    functions = elu, elu_backward

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        check_number(self, "alpha", alpha)
        self.alpha = alpha

    def arguments(self) -> tuple:
        """Return `elu`'s arguments after ``x``."""
        return (self.alpha,)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}"
