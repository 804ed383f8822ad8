r"""Softmax and LogSoftmax: scores in, probabilities (or their logarithms) out, which compete for a total of one.

    x  (..., K)  input: K scores, numbered k, along the last axis       m  (..., 1)  the row's maximum
    y  (..., K)  output                                                 t  (..., 1)  the row's total

softmax
    F1  m = max_k x                                        (..., 1)
    F2  z = x - m                                          (..., K)   changes no output, and keeps exp from overflowing
    F3  e = exp(z)                                         (..., K)
    F4  t = sum_k e                                        (..., 1)   between 1 and K
    F5  y = e / t                                          (..., K)

    B5  grad_t = -sum_k grad_y e / t^2                     (..., 1)   F5: a quotient, by its denominator; t was
                                                                      broadcast, and a broadcast becomes a sum
    B4  grad_e = grad_y / t + grad_t                       (..., K)   F5 and F4: e is used twice, so two gradients are
                                                                      added: as the numerator, and as a term of the sum
    B3  grad_z = grad_e e                                  (..., K)   F3: exp is its own derivative
    B2  grad_x = grad_z                                    (..., K)   F2: x has the factor 1; m has no gradient

log_softmax
    F1  m = max_k x                                        (..., 1)
    F2  z = x - m                                          (..., K)   as above
    F3  e = exp(z)                                         (..., K)
    F4  t = sum_k e                                        (..., 1)
    F5  y = z - log(t)                                     (..., K)   no logarithm of a probability rounded to zero

    B5  grad_t = -sum_k grad_y / t                         (..., 1)   F5: the derivative of log; t was broadcast: a sum
    B4  grad_e = grad_t                                    (..., 1)   F4: each term of a sum has the sum's gradient
    B3  grad_z = grad_y + grad_e e                         (..., K)   F5 and F3: z is used twice: an addition
    B2  grad_x = grad_z                                    (..., K)   F2: x has the factor 1; m has no gradient

F1 is not undone. Its gradient would be grad_m = -sum_k grad_z, since m was broadcast. But y does not depend on m, and
that sum is zero. So it does not matter which of several equal maxima is the maximum. For the same reason grad_x sums to
zero along the row: raising all scores by the same amount changes nothing.

The simplification. Put B5 to B2 together:

    softmax        grad_x = y (grad_y - sum_k grad_y y)
    log_softmax    grad_x = grad_y - exp(y) sum_k grad_y

An upstream gradient of ones asks for the derivative of the constant 1. Then softmax's grad_e is zero, and so is grad_x:
a test with ones passes even if B3 is wrong, or if backward returns zeros.

Source: Bridle, "Training Stochastic Model Recognition Algorithms as Networks can Lead to Maximum Mutual Information
Estimation of Parameters", 1989. PyTorch's counterparts: ``torch.nn.Softmax``, ``torch.nn.LogSoftmax``.
"""

import warnings

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer


def softmax(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the probabilities of the scores of each row."""
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)  # F1 (..., 1)
    z = x - m  # F2 (..., K)
    e = np.exp(z)  # F3 (..., K)
    t = e.sum(axis=-1, keepdims=True)  # F4 (..., 1)
    y = e / t  # F5 (..., K)
    return y, (e, t)


def softmax_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softmax`."""
    e, t = saved
    grad_t = -(grad_y * e).sum(axis=-1, keepdims=True) / t**2  # B5 (..., 1)
    grad_e = grad_y / t + grad_t  # B4 (..., K)
    grad_z = grad_e * e  # B3 (..., K)
    grad_x = grad_z  # B2 (..., K)
    return grad_x


def log_softmax(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the logarithms of the probabilities of the scores of each row."""
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)  # F1 (..., 1)
    z = x - m  # F2 (..., K)
    e = np.exp(z)  # F3 (..., K)
    t = e.sum(axis=-1, keepdims=True)  # F4 (..., 1)
    y = z - np.log(t)  # F5 (..., K)
    return y, (e, t)


def log_softmax_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `log_softmax`."""
    e, t = saved
    grad_t = -grad_y.sum(axis=-1, keepdims=True) / t  # B5 (..., 1)
    grad_e = grad_t  # B4 (..., 1)
    grad_z = grad_y + grad_e * e  # B3 (..., K)
    grad_x = grad_z  # B2 (..., K)
    return grad_x


class _AlongDim(Layer):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None and (not isinstance(dim, int) or isinstance(dim, bool)):
            raise TypeError(f"{name_of(self)}: expected dim to be an int or None, got {dim!r}")
        self.dim = dim

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has the axis; warn if the axis was not given."""
        dim = self.axis(x)
        if self.dim is None:
            warnings.warn(f"{name_of(self)}: dim was not given; using {dim}, by a deprecated rule", stacklevel=5)
        ndim = max(x.ndim, 1)  # a scalar counts as having one axis, as in PyTorch
        if not -ndim <= dim < ndim:
            raise IndexError(f"{name_of(self)}: expected dim within [{-ndim}, {ndim - 1}], got {dim}")

    def axis(self, x: np.ndarray) -> int:
        """Return the axis along which the scores of ``x`` compete."""
        if self.dim is not None:
            return self.dim
        return 0 if x.ndim in (0, 1, 3) else 1

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Swap the axis with the last one; a scalar becomes a row of one."""
        return x.swapaxes(self.axis(x), -1) if x.ndim else x.reshape(1)

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        return y.swapaxes(self.axis(y), -1) if input_shape else y.reshape(())

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

    functions = softmax, softmax_backward


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

    functions = log_softmax, log_softmax_backward
