r"""LayerNorm: each example is normalized by its own numbers, independently of the rest of the batch.

The last axes of x, ``normalized_shape``, are normalized together. There is a weight and a bias for each number of them.

    x     input       weight, bias   broadcast against y
    y     output      eps            against division by zero

layer_norm
    F1  mean = sum_k x / K                                    (R, 1)
    F2  shifted = x - mean                                    (R, K)
    F3  residue = sum_k shifted / K                           (R, 1)  0 on paper: what rounding has left of the mean
    F4  centred = shifted - residue                           (R, K)
    F5  square = centred^2                                    (R, K)
    F6  var = sum_k square / K                                (R, 1)
    F7  std = sqrt(var + eps)                                 (R, 1)
    F8  normalized = centred / std                            (R, K)
    F9  scaled = normalized weight                            (R, K)
    F10 y = scaled + bias                                     (R, K)

    B10 grad_bias = sum_r grad_y                              (K,)    F10: bias was broadcast, and a broadcast becomes a
                                                                      sum; grad_scaled is grad_y itself
    B9a grad_weight = sum_r grad_y normalized                 (K,)    F9: a product, times the other factor; broadcast
    B9b grad_normalized = grad_y weight                       (R, K)  F9: times the other factor
    B8  grad_std = -sum_k grad_normalized centred / std^2     (R, 1)  F8: a quotient, by its denominator; broadcast
    B7  grad_var = grad_std / (2 std)                         (R, 1)  F7: the derivative of the square root
    B6  grad_square = grad_var / K                            (R, 1)  F6: each of the mean's K terms has the same share
    B5  grad_centred = grad_normalized / std
                       + 2 centred grad_square                (R, K)  F8 and F5: centred is used twice, so two gradients
                                                                      are added: as the numerator, and of the square
    B4  grad_residue = -sum_k grad_centred                    (R, 1)  F4: residue was broadcast: a sum
    B3  grad_shifted = grad_centred + grad_residue / K        (R, K)  F4 and F3: shifted is used twice: an addition
    B2  grad_x = grad_shifted                                 (R, K)  F2: its factor is 1. grad_shifted sums to 0 over
                                                                      k, so mean, which was broadcast, gets nothing

Why F3 and F4: if a row is nearly constant and far from zero, the rounding error of its mean is as large as the
differences that are left, and F8 enlarges both.

The simplification that the kernel uses is batch normalization's (`scratch.nn.batchnorm`), with rows in place of
columns:

    grad_x = (grad_normalized - mean_k(grad_normalized) - normalized mean_k(grad_normalized normalized)) / std

Shifting a row, or scaling it, changes no output, so grad_x sums to zero over each row, and is orthogonal to normalized
(apart from eps). Training and evaluation are the same.

Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, equations 3 and 4. PyTorch's counterpart:
``torch.nn.LayerNorm``. Left out: ``device``.
"""

import math
from collections.abc import Sequence

import numpy as np

from scratch.checks import DType, check_float_dtype, check_number
from scratch.nn.parameter import Parameter
from scratch.nn.row_norm import LastAxesNorm, reshaped


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Normalize each row, then scale and shift its numbers."""
    mean = x.sum(axis=1, keepdims=True) / x.shape[1]  # F1 (R, 1)
    shifted = x - mean  # F2 (R, K)
    residue = shifted.sum(axis=1, keepdims=True) / x.shape[1]  # F3 (R, 1)
    centred = shifted - residue  # F4 (R, K)
    square = centred**2  # F5 (R, K)
    var = square.sum(axis=1, keepdims=True) / x.shape[1]  # F6 (R, 1)
    std = np.sqrt(var + eps)  # F7 (R, 1)
    normalized = centred / std  # F8 (R, K)
    scaled = normalized * weight  # F9 (R, K)
    y = scaled + bias  # F10 (R, K)
    return y, (centred, std, normalized)


def layer_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `layer_norm`."""
    centred, std, normalized = saved
    grad_bias = grad_y.sum(axis=0)  # B10 (K,)
    grad_weight = (grad_y * normalized).sum(axis=0)  # B9a (K,)
    grad_normalized = grad_y * weight  # B9b (R, K)
    grad_std = -(grad_normalized * centred).sum(axis=1, keepdims=True) / std**2  # B8 (R, 1)
    grad_var = grad_std / (2 * std)  # B7 (R, 1)
    grad_square = grad_var / centred.shape[1]  # B6 (R, 1)
    grad_centred = grad_normalized / std + 2 * centred * grad_square  # B5 (R, K)
    grad_residue = -grad_centred.sum(axis=1, keepdims=True)  # B4 (R, 1)
    grad_shifted = grad_centred + grad_residue / centred.shape[1]  # B3 (R, K)
    grad_x = grad_shifted  # B2 (R, K)
    return grad_x, grad_weight, grad_bias


class LayerNorm(LastAxesNorm):
    """Normalize the last axes of each example.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes of the input, which are normalized together.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether weight and bias are learned and applied.
    bias : bool
        With ``elementwise_affine``, whether the bias is learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight, bias : Parameter of shape ``normalized_shape``, or None

    Raises
    ------
    RuntimeError
        If ``normalized_shape`` is empty or negative, the input's last axes differ from it, or its dtype is not the
        layer's.
    TypeError
        If ``normalized_shape`` is not made of integers.

    Examples
    --------
    >>> layer = LayerNorm(4, eps=1e-12, dtype=np.float64)
    >>> layer(np.array([[1.0, 1.0, 3.0, 3.0]])).round(6)
    array([[-1., -1.,  1.,  1.]])
    >>> layer.backward(np.array([[1.0, 3.0, 5.0, 7.0]])).round(6)
    array([[-1.,  1., -1.,  1.]])
    """

    functions = layer_norm, layer_norm_backward

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine)
        check_number(self, "eps", eps)
        dtype = check_float_dtype(self, dtype)
        self.weight = Parameter(np.empty(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.empty(self.normalized_shape, dtype)) if elementwise_affine and bias else None
        self.reset_parameters()

    def arguments(self) -> tuple:
        """Return `layer_norm`'s arguments after ``x``."""
        row = (math.prod(self.normalized_shape),)
        return reshaped(self.weight, row, absent=1.0), reshaped(self.bias, row, absent=0.0), self.eps

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
