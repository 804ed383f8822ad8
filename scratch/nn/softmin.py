r"""Softmin: the softmax of the negated scores, so that the smallest has the largest probability.

    x  (..., K)  input: K scores, numbered k, along the last axis       m  (..., 1)  the row's minimum
    y  (..., K)  output                                                 t  (..., 1)  the row's total

softmin
    F1  m = min_k x                                        (..., 1)
    F2  z = m - x                                          (..., K)   changes no output, and keeps exp from overflowing
    F3  e = exp(z)                                         (..., K)
    F4  t = sum_k e                                        (..., 1)   between 1 and K
    F5  y = e / t                                          (..., K)

    B3  grad_z = y (grad_y - sum_k grad_y y)               (..., K)   F5, F4 and F3 in one: `scratch.nn.softmax` has the
                                                                      steps; every score is in its row's total
    B2  grad_x = -grad_z                                   (..., K)   F2: a sign; m has no gradient, as y does not
                                                                      depend on it

Distances become probabilities: the nearer, the likelier. PyTorch's counterpart: ``torch.nn.Softmin``.
"""

import numpy as np

from scratch.nn.softmax import _AlongDim


def softmin(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return the probabilities of the negated scores of each row."""
    m = x.min(axis=-1, keepdims=True, initial=np.inf)  # F1 (..., 1)
    z = m - x  # F2 (..., K)
    e = np.exp(z)  # F3 (..., K)
    t = e.sum(axis=-1, keepdims=True)  # F4 (..., 1)
    y = e / t  # F5 (..., K)
    return y, (y,)


def softmin_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `softmin`."""
    (y,) = saved
    grad_z = y * (grad_y - (grad_y * y).sum(axis=-1, keepdims=True))  # B3 (..., K)
    grad_x = -grad_z  # B2 (..., K)
    return grad_x


class Softmin(_AlongDim):
    """Probabilities from scores where the smallest is the best, y = exp(-x) / sum(exp(-x)) along one axis.

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
    >>> layer = Softmin(dim=1)
    >>> layer(-np.log([[1.0, 3.0], [5.0, 5.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    >>> layer.backward(np.array([[16.0, 0.0], [0.0, 8.0]]))
    array([[-3.,  3.],
           [ 2., -2.]])
    """

    functions = softmin, softmin_backward
