r"""Softmax and LogSoftmax: scores in, probabilities (or their logarithms) out, that compete for a total of one.

    K     entries along ``dim``, numbered k and j        x, y  any shape; the sums run along ``dim``
    d_kj  1 if k = j, else 0                             1     length one along ``dim``, for what is shared by all k

Forward
    F1  m = max_k x_k                  (..., 1)
    F2  z = x - m                      (..., K)     changes nothing (exp(-m) cancels), but exp cannot overflow any more
    F3  e = exp(z)                     (..., K)
    F4  t = sum_k e_k                  (..., 1)     between 1 and K
    F5  y = e / t                      (..., K)     Softmax
    F5  y = z - log(t)                 (..., K)     LogSoftmax: no logarithm of a probability that was rounded to zero

Backward: every output depends on every input of its row. From F3 to F5,

    Softmax      dy_k/dx_j = y_k (d_kj - y_j)
    LogSoftmax   dy_k/dx_j = d_kj - exp(y_j)

m drops out: y does not depend on it. Summed over k with grad_y_k, the Jacobian never needs to be formed:

    B1  Softmax      grad_x = y * (grad_y - sum_k grad_y_k y_k)
    B1  LogSoftmax   grad_x = grad_y - exp(y) * sum_k grad_y_k

Raising all scores alike leaves y as it is, so grad_x sums to zero along ``dim``; and a gradient of all ones, which
asks for the derivative of the constant 1, gives a Softmax's grad_x of zero whatever the code does.

Source: Bridle, "Training Stochastic Model Recognition Algorithms as Networks can Lead to Maximum Mutual Information
Estimation of Parameters", 1989. PyTorch's counterparts: ``torch.nn.Softmax``, ``torch.nn.LogSoftmax``.
"""

import warnings

import numpy as np

from scratch.checks import check_array, check_grad_output, name_of
from scratch.nn.module import Module


class _AlongDim(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None and (not isinstance(dim, int) or isinstance(dim, bool)):
            raise TypeError(f"{name_of(self)}: expected dim to be an int or None, got {dim!r}")
        self.dim = dim

    def _axis(self, x: np.ndarray) -> int:
        dim = self.dim
        if dim is None:
            dim = 0 if x.ndim in (0, 1, 3) else 1
            warnings.warn(f"{name_of(self)}: dim was not given; taking {dim}, by a deprecated rule", stacklevel=4)
        ndim = max(x.ndim, 1)  # a scalar counts as having one axis, as in PyTorch
        if not -ndim <= dim < ndim:
            raise IndexError(f"{name_of(self)}: expected dim within [{-ndim}, {ndim - 1}], got {dim}")
        return dim

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """Probabilities from scores, y = exp(x) / sum(exp(x)) along one axis.

    Parameters
    ----------
    dim : int or None
        The axis along which the outputs sum to one. None takes axis 0 for inputs of 0, 1 or 3 axes and axis 1 for
        others, with a warning, as in PyTorch.

    Raises
    ------
    TypeError
        If ``dim`` is neither an int nor None.
    IndexError
        If the input has no such axis.

    Examples
    --------
    >>> layer = Softmax(dim=1)
    >>> layer(np.log([[1.0, 3.0], [5.0, 5.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    >>> layer.backward(np.array([[16.0, 0.0], [0.0, 8.0]]))
    array([[ 3., -3.],
           [-2.,  2.]])
    """

    @np.errstate(invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        axis = self._axis(x)
        m = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)  # F1 (..., 1)
        z = np.subtract(x, m, out=np.empty_like(x))  # F2 (..., K)
        e = np.exp(z, out=z)  # F3 (..., K)
        t = np.add.reduce(e, axis=axis, keepdims=True)  # F4 (..., 1)
        y = np.divide(e, t, out=e)  # F5 (..., K)
        self.save_for_backward(y=y, axis=axis)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Take from each gradient the mean of its row, weighted by the probabilities, and weight the rest by them."""
        y, axis = self.saved("y", "axis")
        check_grad_output(self, grad_output, y.shape, y.dtype)
        weighted = np.multiply(grad_output, y, out=np.empty_like(y))
        mean = np.add.reduce(weighted, axis=axis, keepdims=True)
        grad_x = np.subtract(grad_output, mean, out=weighted)
        grad_x *= y  # B1 (..., K)
        return grad_x


class LogSoftmax(_AlongDim):
    """Logarithms of probabilities from scores, y = x - log(sum(exp(x))) along one axis.

    Parameters
    ----------
    dim : int or None
        The axis along which the exponentials of the outputs sum to one. None takes axis 0 for inputs of 0, 1 or 3 axes
        and axis 1 for others, with a warning, as in PyTorch.

    Raises
    ------
    TypeError
        If ``dim`` is neither an int nor None.
    IndexError
        If the input has no such axis.

    Examples
    --------
    >>> layer = LogSoftmax(dim=0)
    >>> layer(np.array([1e4, 0.0]))
    array([     0., -10000.])
    >>> layer.backward(np.array([2.0, 3.0]))
    array([-3.,  3.])
    """

    @np.errstate(divide="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array of any shape to one of the same shape."""
        check_array(self, x)
        axis = self._axis(x)
        m = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)  # F1 (..., 1)
        z = np.subtract(x, m, out=np.empty_like(x))  # F2 (..., K)
        e = np.exp(z, out=np.empty_like(z))  # F3 (..., K)
        t = np.add.reduce(e, axis=axis, keepdims=True)  # F4 (..., 1)
        y = np.subtract(z, np.log(t), out=z)  # F5 (..., K)
        self.save_for_backward(y=y, axis=axis)
        return y

    @np.errstate(invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Take from each gradient its probability's share of the row's sum."""
        y, axis = self.saved("y", "axis")
        check_grad_output(self, grad_output, y.shape, y.dtype)
        share = np.exp(y, out=np.empty_like(y))
        share *= np.add.reduce(grad_output, axis=axis, keepdims=True)
        return np.subtract(grad_output, share, out=share)  # B1 (..., K)
