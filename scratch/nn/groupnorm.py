r"""GroupNorm: each group of neighbouring channels of an example is normalized by its own numbers.

The channels of a group are normalized at all their positions together. There is a weight and a bias for each channel.

    x     input       weight, bias   broadcast against y
    y     output      eps            against division by zero

group_norm, of N examples with C channels in G groups at P positions; K = P C/G; weight and bias are columns, (C, 1)
    F1  rows = x, a row for each example's group              (N G, K)   the channels of a group are neighbours
    F2  mean = sum_k rows / K                                 (N G, 1)
    F3  shifted = rows - mean                                 (N G, K)
    F4  residue = sum_k shifted / K                           (N G, 1)   0 on paper
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
    B3  grad_rows = grad_shifted                              (N G, K)   F3: mean gets nothing
    B1  grad_x = grad_rows in the shape of x                  (N, C, P)  F1: each number goes back to its place

Why F4 and F5, why mean gets nothing in B3, and the simplification that the kernel uses: see `scratch.nn.layernorm`,
whose rows are the groups here.

Source: Wu and He, "Group Normalization", 2018, equations 1 to 7. PyTorch's counterpart: ``torch.nn.GroupNorm``. Left
out: ``device``. Differs from PyTorch: an input whose number of channels is not ``num_channels`` is always refused;
PyTorch accepts it if the layer has no weight.
"""

import math

import numpy as np

from scratch.checks import DType, check_fits, check_float_dtype, check_integer, check_number
from scratch.nn.parameter import Parameter
from scratch.nn.row_norm import RowNorm, reshaped


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
