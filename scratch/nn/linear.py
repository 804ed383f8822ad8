r"""Linear: every output is a weighted sum of every input, plus a bias.

    N     batch                          x  (N, I)   input
    I     in_features                    W  (O, I)   weight
    O     out_features                   b  (O,)     bias
    L     the loss, a scalar             y  (N, O)   output

Forward
    F1  z = x W^T         (N, O)
    F2  y = z + b         (N, O)         b is broadcast over the batch

Backward, from grad_y = dL/dy of shape (N, O)
    B1  grad_z = grad_y                  (N, O)   F2: a sum hands its gradient on unchanged
    B2  grad_b = sum_n grad_y            (O,)     F2: b was broadcast over n, and a broadcast becomes a sum
    B3  grad_W = grad_z^T x              (O, I)   F1: z_no = sum_i x_ni W_oi, so dL/dW_oi = sum_n grad_z_no x_ni
    B4  grad_x = grad_z W                (N, I)   F1: dL/dx_ni = sum_o grad_z_no W_oi

The shapes alone nearly force B3 and B4: of the products of a (N, O) and a (N, I) array only grad_z^T x is (O, I).

Further axes before the last (a sequence, say) act as more batch: they are folded into N on the way in, and unfolded
on the way out. An input of shape (I,) is a batch of one without the axis.

The default initialisation draws W and b uniformly from [-1/sqrt(I), 1/sqrt(I)): `kaiming_uniform_` with a = sqrt(5)
has the bound sqrt(6 / ((1 + 5) I)) = 1/sqrt(I) (He et al., "Delving Deep into Rectifiers", 2015, section 2.2; the
choice of a is PyTorch's).

PyTorch's counterpart: ``torch.nn.Linear``. Left out: ``device``.
"""

import math

import numpy as np

from scratch import threads
from scratch.checks import check_dtype, check_float_dtype, check_grad_output
from scratch.nn import init
from scratch.nn.channels import channel_sum
from scratch.nn.module import Module, Parameter


class Linear(Module):
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

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype: type = np.float32) -> None:
        super().__init__()
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(value, (int, np.integer)):
                raise TypeError(f"Linear: expected {name} to be an integer, got {value!r}")
            if value < 0:
                raise RuntimeError(f"Linear: expected {name} of 0 or more, got {value}")
        dtype = check_float_dtype(self, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), dtype))
        self.bias = Parameter(np.empty(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, weight first."""
        init.fan_in_uniform_(self.weight, self.bias)

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (..., in_features) to (..., out_features)."""
        weight = self.weight.data
        check_dtype(self, x, weight.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise RuntimeError(f"Linear: expected input of shape (..., {self.in_features}), got {x.shape}")
        rows = x.reshape(math.prod(x.shape[:-1]), self.in_features)
        y = threads.matmul(rows, weight.T)  # F1 (N, O)
        if self.bias is not None:
            y += self.bias.data  # F2 (N, O)
        self.save_for_backward(x=rows, input_shape=x.shape)
        return y.reshape(*x.shape[:-1], self.out_features)

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray | None:
        """Map the gradient of (..., out_features) to that of (..., in_features); add to weight's and bias's."""
        x, input_shape = self.saved("x", "input_shape")
        check_grad_output(self, grad_output, (*input_shape[:-1], self.out_features), x.dtype)
        grad_z = grad_output.reshape(len(x), self.out_features)  # B1 (N, O)
        if self.bias is not None:
            self.bias.add_grad(channel_sum(grad_z))  # B2 (O,)
        self.weight.add_grad(threads.matmul(grad_z.T, x))  # B3 (O, I)
        if not self.needs_input_grad:
            return None
        grad_x = threads.matmul(grad_z, self.weight.data)  # B4 (N, I)
        return grad_x.reshape(input_shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    """The input, unchanged: a place to leave a layer out of. Takes and ignores any arguments, as PyTorch's does."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return the input."""
        return x

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return ``grad_output``."""
        return grad_output
