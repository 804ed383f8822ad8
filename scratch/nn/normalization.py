r"""LayerNorm and GroupNorm: each example is normalized by its own numbers, whatever the rest of the batch may be.

    R     rows: what is normalized together      x  (R, K)   input, a row for each example (or group of channels)
    K     numbers in a row                       w, b        weight and bias, broadcast against y
    e     eps, against division by zero          y           output

The layers differ in how they cut x into rows. LayerNorm makes a row of the last axes, ``normalized_shape``, and has a
weight and a bias for each number of a row. GroupNorm makes a row of the channels of a group and of all their places,
and has a weight and a bias for each channel.

Forward
    F1  mean = sum_k x / K                       (R, 1)
    F2  centred = x - mean                       (R, K)
    F3  var = sum_k centred^2 / K                (R, 1)
    F4  r = 1 / sqrt(var + e)                    (R, 1)
    F5  normalized = centred r                   (R, K)
    F6  y = normalized w + b                     in the shape of the input

Backward, from grad_y = dL/dy
    B6  grad_b = sum grad_y,  grad_w = sum grad_y normalized    over every axis along which b and w were broadcast
        grad_normalized = grad_y w               (R, K)
    B5  to B1, as for batch normalization, where every step is written out (`scratch.nn.batchnorm`), with rows for
        columns:
        grad_x = r (grad_normalized - mean_k(grad_normalized) - normalized mean_k(grad_normalized normalized))

Moving a row as a whole, or stretching it, changes no output: grad_x sums to zero over each row, and is orthogonal to
normalized (but for e). Training and evaluation are the same.

Sources: Ba, Kiros and Hinton, "Layer Normalization", 2016, equations 3 and 4; Wu and He, "Group Normalization", 2018,
equations 1 to 7. PyTorch's counterparts: ``torch.nn.LayerNorm``, ``torch.nn.GroupNorm``. Left out: ``device``.
Differs from PyTorch: GroupNorm always refuses an input whose number of channels is not ``num_channels``; PyTorch lets
it pass if the layer has no numbers.
"""

import math
from collections.abc import Sequence

import numpy as np

from scratch.checks import check_float_dtype, check_grad_output, check_input
from scratch.kernels.channel_sums import as_channels, channel_sum
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter


def normalize_rows(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Map (R, K) to ``normalized`` (R, K) and ``r`` (R, 1)."""
    K = max(x.shape[1], 1)
    mean = np.add.reduce(x, axis=1, keepdims=True) / K  # F1 (R, 1)
    centred = x - mean  # F2 (R, K)
    # The mean was rounded, which shows where a row is nearly constant: r makes it large. What is left of it goes, too.
    centred -= np.add.reduce(centred, axis=1, keepdims=True) / K
    var = np.vecdot(centred, centred)[:, np.newaxis] / K  # F3 (R, 1)
    r = 1.0 / np.sqrt(var + eps)  # F4 (R, 1)
    normalized = np.multiply(centred, r, out=centred)  # F5 (R, K)
    return normalized, r


def normalize_rows_backward(grad_normalized: np.ndarray, normalized: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Map the gradient of ``normalized`` (R, K) to that of the rows (R, K)."""
    K = max(normalized.shape[1], 1)
    mean = np.add.reduce(grad_normalized, axis=1, keepdims=True) / K
    along = np.vecdot(grad_normalized, normalized)[:, np.newaxis] / K
    grad_x = normalized * along
    np.subtract(grad_normalized, grad_x, out=grad_x)
    grad_x -= mean
    grad_x *= r  # B5 to B1 (R, K)
    return grad_x


class LayerNorm(Module):
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
        With ``elementwise_affine``, whether b is learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight, bias : Parameter of shape ``normalized_shape``, or None

    Raises
    ------
    RuntimeError
        If ``normalized_shape`` is empty or negative, the input's last axes are others, or its dtype is not the layer's.
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

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: type = np.float32,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else tuple(normalized_shape)
        if not all(isinstance(size, (int, np.integer)) for size in shape):
            raise TypeError(f"LayerNorm: expected normalized_shape of integers, got {normalized_shape!r}")
        if not shape or min(shape) < 0:
            raise RuntimeError(f"LayerNorm: expected one or more sizes of 0 or more, got {normalized_shape!r}")
        dtype = check_float_dtype(self, dtype)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = Parameter(np.empty(shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.empty(shape, dtype)) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        _reset(self.weight, self.bias)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (..., *normalized_shape) to the same shape."""
        check_input(self, x, self.weight)
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            raise RuntimeError(f"LayerNorm: expected input of shape (..., {self.normalized_shape}), got {x.shape}")
        K = math.prod(self.normalized_shape)
        rows = x.reshape(math.prod(x.shape[: -len(self.normalized_shape)]), K)
        normalized, r = normalize_rows(rows, self.eps)  # F1 to F5
        self.save_for_backward(normalized=normalized, r=r, shape=x.shape)
        y = normalized
        if self.weight is not None:
            y = y * self.weight.data.reshape(-1)
        if self.bias is not None:
            y += self.bias.data.reshape(-1)  # F6
        return y.reshape(x.shape)

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of the output to that of the input; add to weight's and bias's."""
        normalized, r, shape = self.saved("normalized", "r", "shape")
        check_grad_output(self, grad_output, shape, normalized.dtype)
        grad_normalized = grad_output.reshape(normalized.shape)
        if self.bias is not None:
            self.bias.add_grad(np.add.reduce(grad_normalized, axis=0).reshape(self.normalized_shape))  # B6
        if self.weight is not None:
            grad_w = np.add.reduce(grad_normalized * normalized, axis=0)
            self.weight.add_grad(grad_w.reshape(self.normalized_shape))  # B6
            grad_normalized = grad_normalized * self.weight.data.reshape(-1)  # B6
        return normalize_rows_backward(grad_normalized, normalized, r).reshape(shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
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
        With ``affine``, whether b is learned and added.
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
        If ``num_channels`` is negative, the input is not (N, num_channels, ...) with places in it, or its dtype is not
        the layer's.

    Examples
    --------
    >>> layer = GroupNorm(1, 2, eps=1e-12, dtype=np.float64)
    >>> layer(np.array([[[1.0, 1.0], [3.0, 3.0]]])).round(6)
    array([[[-1., -1.],
            [ 1.,  1.]]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: type = np.float32,
    ) -> None:
        super().__init__()
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

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        _reset(self.weight, self.bias)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, ...) to the same shape."""
        check_input(self, x, self.weight)
        if x.ndim < 2 or x.shape[1] != self.num_channels or 0 in x.shape[2:]:
            raise RuntimeError(f"GroupNorm: expected input of shape (N, {self.num_channels}, ...), got {x.shape}")
        K = self.num_channels // self.num_groups * math.prod(x.shape[2:])
        if x.shape[0] * K == 1:
            raise ValueError(f"GroupNorm: expected more than 1 value per group, got input of shape {x.shape}")
        rows = x.reshape(x.shape[0] * self.num_groups, K)
        normalized, r = normalize_rows(rows, self.eps)  # F1 to F5
        self.save_for_backward(normalized=normalized, r=r, shape=x.shape)
        y = normalized.reshape(x.shape)
        if self.weight is not None:
            y = y * as_channels(self.weight.data, x)
        if self.bias is not None:
            y += as_channels(self.bias.data, x)  # F6
        return y

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of the output to that of the input; add to weight's and bias's."""
        normalized, r, shape = self.saved("normalized", "r", "shape")
        check_grad_output(self, grad_output, shape, normalized.dtype)
        grad_normalized = grad_output
        if self.bias is not None:
            self.bias.add_grad(channel_sum(grad_output))  # B6
        if self.weight is not None:
            self.weight.add_grad(channel_sum(grad_output * normalized.reshape(shape)))  # B6
            grad_normalized = grad_output * as_channels(self.weight.data, grad_output)  # B6
        grad_rows = normalize_rows_backward(grad_normalized.reshape(normalized.shape), normalized, r)
        return grad_rows.reshape(shape)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _reset(weight: Parameter | None, bias: Parameter | None) -> None:
    if weight is not None:
        weight.data.fill(1)
    if bias is not None:
        bias.data.fill(0)
