r"""ReLU, LeakyReLU, ELU: a straight line for positive inputs, something flatter for the others.

Each output depends on one input, so the Jacobian is diagonal and backward is a product element by element:

    grad_x = grad_y * f'(x)                 every array has the shape of x

    s     negative_slope                    a     alpha

Forward
    F1  ReLU        y = max(0, x)
    F1  LeakyReLU   y = max(0, x) + s min(0, x)
    F1  ELU         y = max(0, x) + a (exp(min(0, x)) - 1)

Backward: of the two branches only one moves with x, so the gradient takes that one.
    B1  ReLU        grad_x = grad_y where x > 0, else 0
    B1  LeakyReLU   grad_x = grad_y where x > 0, else s grad_y
    B1  ELU         grad_x = grad_y where x > 0, else a exp(x) grad_y

At the kink x = 0 there is no derivative; like PyTorch we take the left one (0, s and a). ReLU keeps its output only:
x > 0 is the same as y != 0, and y is in memory anyway, being the next layer's input.

NaN stays NaN on the way forward. Backward, as PyTorch has it: ReLU hands the gradient on at NaN, and LeakyReLU
multiplies it by s; ELU gives NaN, where PyTorch gives NaN or grad_y, depending on the dtype and the array's length.

Sources: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010; Maas, Hannun and Ng,
"Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013; Clevert, Unterthiner and Hochreiter, "Fast and
Accurate Deep Network Learning by Exponential Linear Units", 2016, equation 15.

PyTorch's counterparts: ``torch.nn.ReLU``, ``LeakyReLU``, ``ELU``. Left out: ``inplace=True``, since an input is never
written to.
"""

import numpy as np

from scratch import memory, threads
from scratch.checks import check_array, check_grad_output, check_not_inplace
from scratch.nn.module import Module
from scratch.nn.select import keep_where


class ReLU(Module):
    """The positive part, y = max(0, x).

    Parameters
    ----------
    inplace : bool
        False; True is left out, and refused with ``ValueError``.

    Examples
    --------
    >>> layer = ReLU()
    >>> layer(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([0., 0., 7.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_not_inplace(self, inplace)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        y = memory.empty_like(x)
        threads.each_part(_positive_part, x, y)  # F1
        self.save_for_backward(y=y)
        return y

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Let the gradient through where the input was positive."""
        y = self.saved("y")
        check_grad_output(self, grad_output, y.shape, y.dtype)
        grad_x = memory.empty_like(grad_output)
        threads.each_part(_keep_where_not_zero, y, grad_output, grad_x)  # B1
        return grad_x


def _positive_part(x: np.ndarray, y: np.ndarray) -> None:
    # Of two equal zeros np.maximum returns the second: in this order -0.0 stays -0.0, as in PyTorch. An array of zeros
    # is quicker there than the number 0, and y is one that costs no memory.
    y[...] = 0
    np.maximum(y, x, out=y)


def _keep_where_not_zero(y: np.ndarray, grad_output: np.ndarray, grad_x: np.ndarray) -> None:
    keep_where(np.not_equal(y, 0.0), grad_output, out=grad_x)


class LeakyReLU(Module):
    """A line of slope 1 for positive inputs and of ``negative_slope`` for the others.

    Parameters
    ----------
    negative_slope : float
        The slope s.
    inplace : bool
        False; True is left out, and refused with ``ValueError``.

    Examples
    --------
    >>> layer = LeakyReLU(0.5)
    >>> layer(np.array([-1.0, 0.0, 2.0]))
    array([-0.5,  0. ,  2. ])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([2.5, 3. , 7. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        check_not_inplace(self, inplace)
        self.negative_slope = negative_slope

    @np.errstate(invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        y = np.minimum(0.0, x, out=memory.empty_like(x))
        y *= self.negative_slope
        y += np.maximum(0.0, x)  # F1
        self.save_for_backward(positive=np.greater(x, 0.0), dtype=x.dtype)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope of the branch that was taken."""
        positive, dtype = self.saved("positive", "dtype")
        check_grad_output(self, grad_output, positive.shape, dtype)
        grad_x = keep_where(np.logical_not(positive), grad_output)
        grad_x *= self.negative_slope
        grad_x += keep_where(positive, grad_output)  # B1
        return grad_x

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """A line for positive inputs, and an exponential that levels off at ``-alpha`` for the others.

    Parameters
    ----------
    alpha : float
        The depth a.
    inplace : bool
        False; True is left out, and refused with ``ValueError``.

    Examples
    --------
    >>> layer = ELU(alpha=2.0)
    >>> layer(np.array([-np.log(2.0), 0.0, 3.0]))
    array([-1.,  0.,  3.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([ 5., 12.,  7.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        check_not_inplace(self, inplace)
        self.alpha = alpha

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        y = np.minimum(0.0, x, out=memory.empty_like(x))
        np.expm1(y, out=y)  # exp(x) - 1 without the cancellation for small x
        y *= self.alpha
        y += np.maximum(0.0, x)  # F1
        self.save_for_backward(x=x)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient by the slope of the branch that was taken."""
        x = self.saved("x")
        check_grad_output(self, grad_output, x.shape, x.dtype)
        positive = np.greater(x, 0.0)
        slope = np.minimum(0.0, x, out=memory.empty_like(x))
        np.exp(slope, out=slope)
        slope *= self.alpha
        grad_x = keep_where(np.logical_not(positive), grad_output)
        grad_x *= slope
        grad_x += keep_where(positive, grad_output)  # B1
        return grad_x

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}"
