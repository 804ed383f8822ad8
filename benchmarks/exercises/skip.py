r"""Skip: a residual block, y = x + f(x), the shortcut that lets a gradient bypass a layer.

    N     batch                          x       (N, I)   input
    I     features                       weight  (I, I)
                                         y       (N, I)   output

skip
    F1  z = x weight^T                   (N, I)
    F2  f = max(0, z)                    (N, I)
    F3  y = x + f                        (N, I)

    B3  grad_f = grad_y                  (N, I)   F3: a sum passes its gradient on unchanged
    B2  grad_z = grad_f where f != 0     (N, I)   F2: of the two branches, the gradient takes the one taken
    B1a grad_weight = grad_z^T x         (I, I)   F1: a matrix product, as in `Linear`
    B1b grad_x = grad_z weight + grad_y  (N, I)   F1 and F3: x is used twice, so two gradients are added

The second term of B1b is grad_y itself, so the gradient arrives whatever weight does to the first. A stack of such
blocks is a sum over all paths through it, and one of these paths has no layer on it.

Source: He et al., "Deep Residual Learning for Image Recognition", 2016, equation 1. PyTorch's counterpart: none in
``torch.nn``; one writes ``x + f(x)``, and autograd does the rest. `scratch` has no such layer either: this one exists
for an exercise.
"""

import numpy as np

from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


def skip(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` plus what a linear layer and a ReLU make of it."""
    z = x @ weight.T  # F1 (N, I)
    f = np.maximum(0, z)  # F2 (N, I)
    y = x + f  # F3 (N, I)
    return y, (x, f)


def skip_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `skip`."""
    x, f = saved
    grad_f = grad_y  # B3 (N, I)
    grad_z = np.where(f != 0, grad_f, 0)  # B2 (N, I)
    grad_weight = grad_z.T @ x  # B1a (I, I)
    grad_x = grad_z @ weight + grad_y  # B1b (N, I)
    return grad_x, grad_weight


class Skip(Layer):
    """A residual block of one linear layer without a bias and a ReLU.

    Parameters
    ----------
    features : int
        Size of the input's and of the output's last axis.
    dtype : numpy dtype
        float32 or float64.

    Examples
    --------
    >>> block = Skip(2)
    >>> block.weight.data[...] = [[1.0, 1.0], [0.0, -1.0]]
    >>> block(np.array([[1.0, 2.0]], dtype=np.float32))
    array([[4., 2.]], dtype=float32)
    >>> block.backward(np.array([[10.0, 20.0]], dtype=np.float32))
    array([[20., 30.]], dtype=float32)
    """

    functions = skip, skip_backward
    learned = ("weight",)

    def __init__(self, features: int, dtype: type = np.float32) -> None:
        super().__init__()
        self.weight = Parameter(np.empty((features, features), dtype))
        init.kaiming_uniform_(self.weight)

    def arguments(self) -> tuple:
        """Return what `skip` takes after ``x``."""
        return (self.weight.data,)
