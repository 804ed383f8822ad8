r"""Batch normalization: each channel is shifted and scaled to mean 0 and variance 1 over the batch, then to taste.

    N     batch                          x  (M, C)   input, one column for each channel
    C     channels                       w  (C,)     weight
    M     values of a channel: N for     b  (C,)     bias
          (N, C), N H W for (N, C, H, W) y  (M, C)   output        e  eps, against division by zero

Forward, in training
    F1  mean = sum_m x / M                    (C,)
    F2  centred = x - mean                    (M, C)
    F3  square = centred^2                    (M, C)
    F4  var = sum_m square / M                (C,)
    F5  std = sqrt(var + e)                   (C,)
    F6  normalized = centred / std            (M, C)
    F7  scaled = normalized w                 (M, C)
    F8  y = scaled + b                        (M, C)

Backward, from grad_y = dL/dy of shape (M, C)
    B8  grad_scaled = grad_y                                       (M, C)  a sum hands its gradient on unchanged
        grad_b = sum_m grad_y                                      (C,)    b was broadcast: a sum
    B7  grad_normalized = grad_scaled w                            (M, C)  a product: times the other factor
        grad_w = sum_m grad_scaled normalized                      (C,)    the same, and w was broadcast: a sum
    B6  grad_centred = grad_normalized / std                       (M, C)  a quotient, by its numerator
        grad_std = -sum_m grad_normalized centred / std^2          (C,)    by its denominator, broadcast: a sum
    B5  grad_var = grad_std / (2 std)                              (C,)    the derivative of the square root
    B4  grad_square = grad_var / M, for each m                     (M, C)  a sum hands its gradient to all its terms
    B3  grad_centred += 2 centred grad_square                      (M, C)  centred is used in F6 and in F3: an addition
    B2  grad_mean = -sum_m grad_centred                            (C,)    mean was broadcast: a sum
    B1  grad_x = grad_centred + grad_mean / M                      (M, C)  x is used in F2 and in F1: an addition

`StepwiseBatchNorm` is these lines and nothing else. The layers put B7..B1 together. With r = 1 / std, B3 is

    grad_centred = w r (grad_y - normalized grad_w / M)

and since centred, and so normalized, sums to zero over m, B2 is grad_mean = -w r grad_b:

    grad_x = w r (grad_y - grad_b / M - normalized grad_w / M)

grad_y loses its mean and its component along normalized: moving or stretching the batch as a whole changes no output.
So grad_x sums to zero over the batch, and is orthogonal to normalized (but for e).

Running statistics keep ``(1 - momentum) old + momentum new``, new being mean and, as the estimate of the variance of
all data, var M / (M - 1). In evaluation they stand in for mean and var: constants, so that B6 without grad_std is all
there is, grad_x = w r grad_y.

Source: Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1 and the equations of section 3. PyTorch's
counterparts: ``torch.nn.BatchNorm1d``, ``BatchNorm2d``. Left out: ``device``. Differs from PyTorch: an input whose
number of channels is not ``num_features`` is always refused; PyTorch lets it pass if the layer has no numbers.
"""

import math

import numpy as np

from scratch import memory
from scratch.checks import check_float_dtype, check_grad_output, check_input, name_of
from scratch.nn.channels import as_channels, channel_sum
from scratch.nn.module import Module, Parameter


class _BatchNorm(Module):
    _ndims: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: type = np.float32,
    ) -> None:
        super().__init__()
        if not isinstance(num_features, (int, np.integer)):
            raise TypeError(f"{name_of(self)}: expected num_features to be an integer, got {num_features!r}")
        if num_features < 0:
            raise RuntimeError(f"{name_of(self)}: expected num_features of 0 or more, got {num_features!r}")
        dtype = check_float_dtype(self, dtype)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.empty(num_features, dtype)) if affine else None
        self.bias = Parameter(np.empty(num_features, dtype)) if affine and bias else None
        self.register_buffer("running_mean", np.empty(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.empty(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.empty((), np.int64) if track_running_stats else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1, bias to 0, and the running statistics to those of no data: mean 0, variance 1."""
        if self.weight is not None:
            self.weight.data.fill(1)
        if self.bias is not None:
            self.bias.data.fill(0)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the running variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            self.running_mean.fill(0)
            self.running_var.fill(1)
            self.num_batches_tracked.fill(0)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map an array to one of the same shape; in training, update the running statistics."""
        self._check(x)
        centred, y = memory.empty_like(x), memory.empty_like(x)
        if self.training and self.track_running_stats:
            self.num_batches_tracked += 1
        if self.training or not self.track_running_stats:
            count = self._count(x)
            mean = channel_sum(x) / count  # F1 (C,)
            np.subtract(x, as_channels(mean, x), out=centred)  # F2 (M, C)
            np.multiply(centred, centred, out=y)  # F3 (M, C), in the array that F7 overwrites
            var = channel_sum(y) / count  # F4 (C,)
            if self.track_running_stats and x.size:
                self._update_running_stats(mean, var, count)
        else:
            count = None
            np.subtract(x, as_channels(self.running_mean, x), out=centred)
            var = self.running_var
        inv_std = 1.0 / np.sqrt(var + self.eps)  # F5 (C,)
        scale = inv_std if self.weight is None else inv_std * self.weight.data
        np.multiply(centred, as_channels(scale, x), out=y)  # F6 and F7 (M, C)
        if self.bias is not None:
            y += as_channels(self.bias.data, x)  # F8 (M, C)
        self.save_for_backward(centred=centred, inv_std=inv_std, scale=scale, count=count)
        return y

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of the output to that of the input; add to weight's and bias's."""
        centred, inv_std, scale, count = self.saved("centred", "inv_std", "scale", "count")
        check_grad_output(self, grad_output, centred.shape, centred.dtype)
        grad_b = channel_sum(grad_output)  # B8 (C,)
        grad_x = np.multiply(grad_output, centred, out=memory.empty_like(centred))
        grad_w = channel_sum(grad_x) * inv_std  # B7 (C,)
        if count is None:
            np.multiply(grad_output, as_channels(scale, centred), out=grad_x)  # B6 (M, C)
        else:
            np.multiply(centred, as_channels(grad_w * inv_std / count, centred), out=grad_x)
            np.subtract(grad_output, grad_x, out=grad_x)
            grad_x -= as_channels(grad_b / count, centred)
            grad_x *= as_channels(scale, centred)  # B6 to B1 (M, C)
        if self.weight is not None:
            self.weight.add_grad(grad_w)
        if self.bias is not None:
            self.bias.add_grad(grad_b)
        return grad_x

    def _check(self, x: np.ndarray) -> None:
        check_input(self, x, self.running_mean if self.weight is None else self.weight)
        if x.ndim not in self._ndims:
            expected = " or ".join(f"{ndim}D" for ndim in self._ndims)
            raise ValueError(f"{name_of(self)}: expected {expected} input, got shape {x.shape}")
        if x.shape[1] != self.num_features:
            raise RuntimeError(f"{name_of(self)}: expected {self.num_features} channels, got input of shape {x.shape}")

    def _count(self, x: np.ndarray) -> int:
        count = x.shape[0] * math.prod(x.shape[2:])
        if count == 1:
            raise ValueError(
                f"{name_of(self)}: expected more than 1 value per channel when training, got input of shape {x.shape}"
            )
        if self.eps <= 0:
            raise ValueError(f"{name_of(self)}: expected eps to be positive when training, got {self.eps!r}")
        return max(count, 1)  # an empty batch has sums of zero, and means that nobody reads

    def _update_running_stats(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        momentum = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean *= 1.0 - momentum
        self.running_mean += momentum * mean
        self.running_var *= 1.0 - momentum
        self.running_var += (momentum * count / (count - 1)) * var

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L).

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        Added to the variance.
    momentum : float or None
        The weight of the newest batch in the running statistics; None averages all batches alike.
    affine : bool
        Whether weight and bias are learned and applied.
    track_running_stats : bool
        Whether running statistics are kept; if not, evaluation uses the batch's own, too.
    bias : bool
        With ``affine``, whether b is learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_features,), or None
    running_mean, running_var : numpy.ndarray of shape (num_features,), or None
    num_batches_tracked : numpy.ndarray of int64 without axes, or None

    Raises
    ------
    ValueError
        If the input has another number of axes, or, where the batch's statistics are used, one value per channel.
    RuntimeError
        If the input has another number of channels or another dtype than the layer.

    Examples
    --------
    >>> layer = BatchNorm1d(1, eps=1e-12, dtype=np.float64)
    >>> layer(np.array([[1.0], [3.0]])).round(6)
    array([[-1.],
           [ 1.]])
    >>> layer.backward(np.array([[5.0], [7.0]])).round(6) + 0.0  # two points: always mapped to -1 and 1
    array([[0.],
           [0.]])
    >>> layer.running_mean, layer.running_var  # 0.9 * 1 + 0.1 * 2
    (array([0.2]), array([1.1]))
    """

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalization of (N, C, H, W); parameters, attributes and errors are those of `BatchNorm1d`.

    Examples
    --------
    >>> layer = BatchNorm2d(1, eps=1e-12, dtype=np.float64)
    >>> layer(np.array([[[[1.0, 3.0]]]])).round(6)
    array([[[[-1.,  1.]]]])
    """

    _ndims = (4,)


class StepwiseBatchNorm(Module):
    """The derivation word for word: (N, C), in training, without running statistics. To be read, and tested against.

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        Added to the variance.
    dtype : numpy dtype
        float32 or float64.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, dtype: type = np.float32) -> None:
        super().__init__()
        self.eps = eps
        self.weight = Parameter(np.ones(num_features, dtype))
        self.bias = Parameter(np.zeros(num_features, dtype))

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (M, C) to (M, C)."""
        mean = x.sum(axis=0) / len(x)  # F1 (C,)
        centred = x - mean  # F2 (M, C)
        square = centred**2  # F3 (M, C)
        var = square.sum(axis=0) / len(x)  # F4 (C,)
        std = np.sqrt(var + self.eps)  # F5 (C,)
        normalized = centred / std  # F6 (M, C)
        scaled = normalized * self.weight.data  # F7 (M, C)
        self.save_for_backward(centred=centred, std=std, normalized=normalized)
        return scaled + self.bias.data  # F8 (M, C)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of the output to that of the input; add to weight's and bias's."""
        centred, std, normalized = self.saved("centred", "std", "normalized")
        M = len(grad_output)
        grad_scaled = grad_output  # B8 (M, C)
        self.bias.add_grad(grad_output.sum(axis=0))  # B8 (C,)
        grad_normalized = grad_scaled * self.weight.data  # B7 (M, C)
        self.weight.add_grad((grad_scaled * normalized).sum(axis=0))  # B7 (C,)
        grad_centred = grad_normalized / std  # B6 (M, C)
        grad_std = -(grad_normalized * centred / std**2).sum(axis=0)  # B6 (C,)
        grad_var = grad_std / (2 * std)  # B5 (C,)
        grad_square = np.broadcast_to(grad_var / M, centred.shape)  # B4 (M, C)
        grad_centred = grad_centred + 2 * centred * grad_square  # B3 (M, C)
        grad_mean = -grad_centred.sum(axis=0)  # B2 (C,)
        return grad_centred + grad_mean / M  # B1 (M, C)
