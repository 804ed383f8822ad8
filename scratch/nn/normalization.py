r"""LayerNorm and GroupNorm: each example is normalized by its own numbers, independently of the rest of the batch.

LayerNorm normalizes the last axes of x together, ``normalized_shape``, and has a weight and a bias for each number of
them. GroupNorm normalizes a group of neighbouring channels at all their positions together, and has a weight and a bias
for each channel.

    x     input       weight, bias   broadcast against y
    y     output      eps            against division by zero

layer_norm, of R rows of K numbers
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

group_norm, of N examples with C channels in G groups at P positions; K = P C/G; weight and bias are columns, (C, 1)
    F1  rows = x, a row for each example's group              (N G, K)   the channels of a group are neighbours
    F2  mean = sum_k rows / K                                 (N G, 1)
    F3  shifted = rows - mean                                 (N G, K)
    F4  residue = sum_k shifted / K                           (N G, 1)   0 on paper, as in layer_norm
    F5  centred = shifted - residue                           (N G, K)
    F6  square = centred^2                                    (N G, K)
    F7  var = sum_k square / K                                (N G, 1)
    F8  std = sqrt(var + eps)                                 (N G, 1)
    F9  normalized = centred / std                            (N G, K)
    F10 joined = normalized in the shape of x                 (N, C, P)
    F11 scaled = joined weight                                (N, C, P)
    F12 y = scaled + bias                                     (N, C, P)

    B12 grad_bias = sum_np grad_y                             (C, 1)     F12: a broadcast becomes a sum
    B11a grad_weight = sum_np grad_y joined                   (C, 1)     F11: times the other factor; broadcast
    B11b grad_joined = grad_y weight                          (N, C, P)  F11: times the other factor
    B10 grad_normalized = grad_joined in rows                 (N G, K)   F10: each number goes back to its place
    B9  grad_std = -sum_k grad_normalized centred / std^2     (N G, 1)   F9: by the denominator; broadcast
    B8  grad_var = grad_std / (2 std)                         (N G, 1)   F8: the derivative of the square root
    B7  grad_square = grad_var / K                            (N G, 1)   F7: each of the K terms has the same share
    B6  grad_centred = grad_normalized / std
                       + 2 centred grad_square                (N G, K)   F9 and F6: centred is used twice
    B5  grad_residue = -sum_k grad_centred                    (N G, 1)   F5: residue was broadcast: a sum
    B4  grad_shifted = grad_centred + grad_residue / K        (N G, K)   F5 and F4: shifted is used twice
    B3  grad_rows = grad_shifted                              (N G, K)   F3: as in layer_norm, mean gets nothing
    B1  grad_x = grad_rows in the shape of x                  (N, C, P)  F1: each number goes back to its place

The simplification that the kernels use is batch normalization's (`scratch.nn.batchnorm`), with rows in place of
columns:

    grad_x = (grad_normalized - mean_k(grad_normalized) - normalized mean_k(grad_normalized normalized)) / std

Shifting a row, or scaling it, changes no output, so grad_x sums to zero over each row, and is orthogonal to normalized
(apart from eps). Training and evaluation are the same.

Sources: Ba, Kiros and Hinton, "Layer Normalization", 2016, equations 3 and 4; Wu and He, "Group Normalization", 2018,
equations 1 to 7. PyTorch's counterparts: ``torch.nn.LayerNorm``, ``torch.nn.GroupNorm``. Left out: ``device``.
Differs from PyTorch: GroupNorm always refuses an input whose number of channels is not ``num_channels``; PyTorch
accepts it if the layer has no weight.
"""

import math
from collections.abc import Sequence

import numpy as np

from scratch.checks import DType, check_fits, check_float_dtype, check_integer, check_number
from scratch.nn.parameter import Parameter
from scratch.nn.row_norm import LastAxesNorm, RowNorm, reshaped


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


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, num_groups: int, eps: float
) -> tuple[np.ndarray, tuple]:
    """Normalize each group of channels of each example, then scale and shift each channel."""
    rows = x.reshape(len(x) * num_groups, x.shape[1] * x.shape[2] // num_groups)  # F1 (N G, K)
    mean = rows.sum(axis=1, keepdims=True) / rows.shape[1]  # F2 (N G, 1)
    shifted = rows - mean  # F3 (N G, K)
    residue = shifted.sum(axis=1, keepdims=True) / rows.shape[1]  # F4 (N G, 1)
    centred = shifted - residue  # F5 (N G, K)
    square = centred**2  # F6 (N G, K)
    var = square.sum(axis=1, keepdims=True) / rows.shape[1]  # F7 (N G, 1)
    std = np.sqrt(var + eps)  # F8 (N G, 1)
    normalized = centred / std  # F9 (N G, K)
    joined = normalized.reshape(x.shape)  # F10 (N, C, P)
    scaled = joined * weight  # F11 (N, C, P)
    y = scaled + bias  # F12 (N, C, P)
    return y, (centred, std, joined)


def group_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `group_norm`."""
    centred, std, joined = saved
    grad_bias = grad_y.sum(axis=2, keepdims=True).sum(axis=0)  # B12 (C, 1)
    grad_weight = (grad_y * joined).sum(axis=2, keepdims=True).sum(axis=0)  # B11a (C, 1)
    grad_joined = grad_y * weight  # B11b (N, C, P)
    grad_normalized = grad_joined.reshape(centred.shape)  # B10 (N G, K)
    grad_std = -(grad_normalized * centred).sum(axis=1, keepdims=True) / std**2  # B9 (N G, 1)
    grad_var = grad_std / (2 * std)  # B8 (N G, 1)
    grad_square = grad_var / centred.shape[1]  # B7 (N G, 1)
    grad_centred = grad_normalized / std + 2 * centred * grad_square  # B6 (N G, K)
    grad_residue = -grad_centred.sum(axis=1, keepdims=True)  # B5 (N G, 1)
    grad_shifted = grad_centred + grad_residue / centred.shape[1]  # B4 (N G, K)
    grad_rows = grad_shifted  # B3 (N G, K)
    grad_x = grad_rows.reshape(grad_y.shape)  # B1 (N, C, P)
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


class GroupNorm(RowNorm):
    """Normalize groups of channels of each example.

    Parameters
    ----------
    num_groups : int
        How many groups the channels are cut into, neighbours together.
    num_channels : int
        The number of channels, a multiple of ``num_groups``.
    eps : float
        Added to the variance.
    affine : bool
        Whether weight and bias, one for each channel, are learned and applied.
    bias : bool
        With ``affine``, whether the bias is learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_channels,), or None

    Raises
    ------
    ValueError
        If ``num_channels`` is not a multiple of ``num_groups``, or the input has one value in all for each group.
    RuntimeError
        If ``num_channels`` is negative, the input is not (N, num_channels, ...) with positions in it, or its dtype is
        not the layer's.

    Examples
    --------
    >>> layer = GroupNorm(1, 2, eps=1e-12, dtype=np.float64)
    >>> layer(np.array([[[1.0, 1.0], [3.0, 3.0]]])).round(6)
    array([[[-1., -1.],
            [ 1.,  1.]]])
    """

    functions = group_norm, group_norm_backward

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        check_integer(self, "num_groups", num_groups)
        check_integer(self, "num_channels", num_channels)
        check_fits(self, "weight", num_channels)
        check_number(self, "eps", eps)
        if num_channels < 0:
            raise RuntimeError(f"GroupNorm: expected num_channels of 0 or more, got {num_channels}")
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: expected num_channels to be a multiple of num_groups, got {num_channels} and {num_groups}"
            )
        dtype = check_float_dtype(self, dtype)
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(np.empty(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.empty(num_channels, dtype)) if affine and bias else None
        self.reset_parameters()

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is (N, num_channels, ...), with more than one number to take a variance of."""
        if x.ndim < 2 or x.shape[1] != self.num_channels or 0 in x.shape[2:]:
            raise RuntimeError(f"GroupNorm: expected input of shape (N, {self.num_channels}, ...), got {x.shape}")
        if x.size == self.num_groups:
            raise ValueError(f"GroupNorm: expected more than 1 value per group, got input of shape {x.shape}")

    def arguments(self) -> tuple:
        """Return `group_norm`'s arguments after ``x``."""
        column = self.num_channels, 1
        weight, bias = reshaped(self.weight, column, absent=1.0), reshaped(self.bias, column, absent=0.0)
        return weight, bias, self.num_groups, self.eps

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, ...) to (N, C, P)."""
        return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (N, C, P) to (N, C, ...)."""
        return y.reshape(input_shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
