r"""Linear: every output is a weighted sum of every input, plus a bias.

    N     batch                          x       (N, I)   input
    I     in_features                    weight  (O, I)
    O     out_features                   bias    (O,)
    L     the loss, a scalar             y       (N, O)   output

linear
    F1  z = x weight^T                   (N, O)
    F2  y = z + bias                     (N, O)   bias is broadcast over the batch

    B2  grad_bias = sum_n grad_y         (O,)     F2: a broadcast becomes a sum. A sum passes its gradient on unchanged,
                                                  so grad_z = grad_y
    B1a grad_weight = grad_y^T x         (O, I)   F1: z_no = sum_i x_ni weight_oi, so the gradient of
                                                  weight_oi is sum_n grad_z_no x_ni
    B1b grad_x = grad_y weight           (N, I)   F1: likewise, that of x_ni is sum_o grad_z_no weight_oi

The shapes alone nearly force B1: of all products of an (N, O) and an (N, I) array only grad_y^T x is (O, I).

Any other axes before the last (a sequence, say) count as batch. An input of shape (I,) is a batch of one.

The default initialization draws weight and bias uniformly from [-1/sqrt(I), 1/sqrt(I)): `kaiming_uniform_` with
a = sqrt(5) has the bound sqrt(6 / ((1 + 5) I)) = 1/sqrt(I) (He et al., "Delving Deep into Rectifiers", 2015, section
2.2; the choice of a is PyTorch's).

PyTorch's counterpart: ``torch.nn.Linear``. Left out: ``device``.
"""

import math

import numpy as np

from scratch.checks import DType, check_fits, check_float_dtype, check_size
from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.parameter import Parameter


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the transposed weight, plus the bias."""
    z = x @ weight.T  # F1 (N, O)
    y = z + bias  # F2 (N, O)
    return y, (x,)


def linear_backward(grad_y: np.ndarray, weight: np.ndarray, saved: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `linear`."""
    (x,) = saved
    grad_bias = grad_y.sum(axis=0)  # B2 (O,)
    grad_weight = grad_y.T @ x  # B1a (O, I)
    grad_x = grad_y @ weight  # B1b (N, I)
    return grad_x, grad_weight, grad_bias


class Linear(Layer):
    """Affine map of the last axis, y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis of the input and of the output.
    bias : bool
        Whether b is learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
    bias : Parameter of shape (out_features,), or None

    Raises
    ------
    TypeError
        If a size is not an integer.
    RuntimeError
        If a size is negative, the input's last axis is not ``in_features`` long, or its dtype is not the layer's.

    Examples
    --------
    >>> layer = Linear(2, 1)
    >>> layer.weight.data[...], layer.bias.data[...] = [[2.0, 3.0]], 1.0
    >>> layer(np.array([[1.0, 10.0]], dtype=np.float32))
    array([[33.]], dtype=float32)
    >>> layer.backward(np.array([[5.0]], dtype=np.float32))
    array([[10., 15.]], dtype=float32)
    >>> layer.weight.grad, layer.bias.grad
    (array([[ 5., 50.]], dtype=float32), array([5.], dtype=float32))
    """

    functions = linear, linear_backward
    learned = "weight", "bias"

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: DType = np.float32) -> None:
        super().__init__()
        check_size(self, "in_features", in_features)
        check_size(self, "out_features", out_features)
        check_fits(self, "weight", out_features, in_features)
        dtype = check_float_dtype(self, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.bias = Parameter(np.empty(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, weight first."""
        init.fan_in_uniform_(self.weight, self.bias)

    def check(self, x: np.ndarray) -> None:
        """Raise unless the last axis of ``x`` is ``in_features`` long."""
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise RuntimeError(f"Linear: expected input of shape (..., {self.in_features}), got {x.shape}")

    def arguments(self) -> tuple:
        """Return `linear`'s arguments after ``x``."""
        return self.weight.data, self.value("bias", absent=0.0)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (..., I) to (N, I)."""
        return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (N, O) to (..., O)."""
        return y if len(input_shape) == 2 else y.reshape(*input_shape[:-1], y.shape[-1])

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def identity(x: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x``."""
    return x, ()


def identity_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `identity`."""
    return grad_y


class Identity(Layer):
    """The input, unchanged: a placeholder for no layer. Takes and ignores any arguments, as PyTorch's does."""

    functions = identity, identity_backward
    passes_through = True

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()
