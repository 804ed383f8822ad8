r"""PReLU: a straight line of slope 1 for positive inputs, and of a learned slope for the others.

    N  batch                                     x       (N, C, L)  input
    C  channels, or 1 if all share one slope     weight  (C,)       slope of each channel left of 0
    L  places                                    y       (N, C, L)  output

For an input of more axes, (N, C, d1, ...), L is the product of d1, .... With one slope for all, any input is treated as
one channel: (1, 1, L).

prelu
    F1  slope = weight, with an axis for the places        (C, 1)     broadcast over N and L
    F2  positive = x > 0                                   (N, C, L)  which branch is taken
    F3  y = x where positive, else slope x                 (N, C, L)

    B3a grad_slope = sum_nl grad_y x where not positive    (C, 1)     F3: times the other factor, on the branch that has
                                                                      it; broadcast over N and L: a sum
    B3b grad_x = grad_y where positive, else slope grad_y  (N, C, L)  F3: the slope of the branch that was taken
    B1  grad_weight = grad_slope, without that axis        (C,)       F1

At the kink x = 0 there is no derivative. Like PyTorch we take the one from the left, the learned slope.

Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", 2015, equations 1 to 3, where the slopes start at 0.25
and have no weight decay, which would pull PReLU towards ReLU. PyTorch's counterpart: ``torch.nn.PReLU``.
"""

import math

import numpy as np

from scratch.checks import DType, check_float_dtype, check_size
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


def prelu(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` where it is positive, and its channel's slope times ``x`` elsewhere."""
    slope = weight[:, None]  # F1 (C, 1)
    positive = x > 0  # F2 (N, C, L)
    y = np.where(positive, x, slope * x)  # F3 (N, C, L)
    return y, (x, slope, positive)


def prelu_backward(grad_y: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Undo `prelu`."""
    x, slope, positive = saved
    grad_slope = np.where(positive, 0, grad_y * x).sum(axis=(0, 2))[:, None]  # B3a (C, 1)
    grad_x = np.where(positive, grad_y, slope * grad_y)  # B3b (N, C, L)
    grad_weight = grad_slope[:, 0]  # B1 (C,)
    return grad_x, grad_weight


class PReLU(Layer):
    """A line of slope 1 for positive inputs, and of a learned slope for the others.

    Parameters
    ----------
    num_parameters : int
        1 for a slope that all channels share, or the number of channels for one slope each.
    init : float
        What the slopes start at.
    dtype : numpy dtype
        float32 or float64.

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)

    Shapes
    ------
    Any shape for one slope; (N, C, ...) for C of them. The output has the input's shape.

    Raises
    ------
    RuntimeError
        If there are several slopes, and axis 1 of the input has another length.

    Examples
    --------
    >>> layer = PReLU(init=0.5, dtype=np.float64)
    >>> layer(np.array([-4.0, 0.0, 2.0]))
    array([-2.,  0.,  2.])
    >>> layer.backward(np.array([5.0, 6.0, 7.0]))
    array([2.5, 3. , 7. ])
    >>> layer.weight.grad
    array([-20.])
    """

    functions = prelu, prelu_backward
    learned = ("weight",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: DType = np.float32) -> None:
        super().__init__()
        check_size(self, "num_parameters", num_parameters)
        dtype = check_float_dtype(self, dtype)
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(np.empty(num_parameters, dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to ``init``."""
        self.weight.data[...] = self.init

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has a channel for each slope."""
        if self.num_parameters != 1 and (x.ndim < 2 or x.shape[1] != self.num_parameters):
            raise RuntimeError(f"PReLU: expected input of shape (N, {self.num_parameters}, ...), got {x.shape}")

    def arguments(self) -> tuple:
        """Return `prelu`'s arguments after ``x``."""
        return (self.weight.data,)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, d1, ...) to (N, C, L); any shape to (1, 1, L) for one slope."""
        return x.reshape((1, 1, x.size) if self.num_parameters == 1 else (*x.shape[:2], math.prod(x.shape[2:])))

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        return y.reshape(input_shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"num_parameters={self.num_parameters}"
