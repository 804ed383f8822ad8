r"""Batch normalization: each channel gets mean 0 and variance 1 over the batch, then a learned scale and shift.

    N     batch                               x       (M, C)   input, one column for each channel
    C     channels                            weight  (C,)
    M     values of a channel: N for (N, C),  bias    (C,)
          N H W for (N, C, H, W)              y       (M, C)   output         eps  against division by zero

batch_norm, in training
    F1  mean = sum_m x / M                                    (C,)
    F2  centred = x - mean                                    (M, C)
    F3  square = centred^2                                    (M, C)
    F4  var = sum_m square / M                                (C,)
    F5  std = sqrt(var + eps)                                 (C,)
    F6  normalized = centred / std                            (M, C)
    F7  scaled = normalized weight                            (M, C)
    F8  y = scaled + bias                                     (M, C)

    B8  grad_bias = sum_m grad_y                              (C,)    F8: bias was broadcast, and a broadcast becomes a
                                                                      sum; grad_scaled is grad_y itself
    B7a grad_weight = sum_m grad_y normalized                 (C,)    F7: a product, times the other factor; broadcast
    B7b grad_normalized = grad_y weight                       (M, C)  F7: times the other factor
    B6  grad_std = -sum_m grad_normalized centred / std^2     (C,)    F6: a quotient, by its denominator; broadcast
    B5  grad_var = grad_std / (2 std)                         (C,)    F5: the derivative of the square root
    B4  grad_square = grad_var / M                            (C,)    F4: each of the mean's M terms has the same share
    B3  grad_centred = grad_normalized / std
                       + 2 centred grad_square                (M, C)  F6 and F3: centred is used twice, so two gradients
                                                                      are added: as the numerator, and of the square
    B2  grad_mean = -sum_m grad_centred                       (C,)    F2: mean was broadcast: a sum
    B1  grad_x = grad_centred + grad_mean / M                 (M, C)  F2 and F1: x is used twice: an addition

The simplification that the kernel uses. Put B7 to B1 together, with r = 1 / std. B3 is

    grad_centred = weight r (grad_y - normalized grad_weight / M)

and since centred, and so normalized, sums to zero over m, B2 is grad_mean = -weight r grad_bias:

    grad_x = weight r (grad_y - grad_bias / M - normalized grad_weight / M)

grad_y loses its mean and its component along normalized, because shifting or stretching the whole batch changes no
output. So grad_x sums to zero over the batch, and is orthogonal to normalized (up to eps).

The running statistics are updated to ``(1 - momentum) old + momentum new``, where new is mean and, to estimate the
variance of all data, var M / (M - 1). In evaluation they replace mean and var. They are constants, so of B6 to B1 only
the first term of B3 is left:

batch_norm_inference
    F1  std = sqrt(var + eps)                                 (C,)
    F2  normalized = (x - mean) / std                         (M, C)
    F3  scaled = normalized weight                            (M, C)
    F4  y = scaled + bias                                     (M, C)

    B4  grad_bias = sum_m grad_y                              (C,)    F4: bias was broadcast: a sum
    B3a grad_weight = sum_m grad_y normalized                 (C,)    F3: times the other factor; broadcast: a sum
    B3b grad_normalized = grad_y weight                       (M, C)  F3: times the other factor
    B2  grad_x = grad_normalized / std                        (M, C)  F2: a quotient, by its numerator

Source: Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1 and the equations of section 3. PyTorch's
counterparts: ``torch.nn.BatchNorm1d``, ``BatchNorm2d``. Left out: ``device``. Differs from PyTorch: an input whose
number of channels is not ``num_features`` always raises; PyTorch accepts it if the layer has no parameters or buffers.
"""

import math

import numpy as np

from scratch.checks import DType, name_of
from scratch.dispatch import Pair
from scratch.nn.channel_norm import ChannelNorm


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Normalize each channel over the batch; also return its mean and variance."""
    mean = x.sum(axis=0) / len(x)  # F1 (C,)
    centred = x - mean  # F2 (M, C)
    square = centred**2  # F3 (M, C)
    var = square.sum(axis=0) / len(x)  # F4 (C,)
    std = np.sqrt(var + eps)  # F5 (C,)
    normalized = centred / std  # F6 (M, C)
    scaled = normalized * weight  # F7 (M, C)
    y = scaled + bias  # F8 (M, C)
    return y, (centred, std, normalized), mean, var


def batch_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm`."""
    centred, std, normalized = saved
    grad_bias = grad_y.sum(axis=0)  # B8 (C,)
    grad_weight = (grad_y * normalized).sum(axis=0)  # B7a (C,)
    grad_normalized = grad_y * weight  # B7b (M, C)
    grad_std = -(grad_normalized * centred).sum(axis=0) / std**2  # B6 (C,)
    grad_var = grad_std / (2 * std)  # B5 (C,)
    grad_square = grad_var / len(centred)  # B4 (C,)
    grad_centred = grad_normalized / std + 2 * centred * grad_square  # B3 (M, C)
    grad_mean = -grad_centred.sum(axis=0)  # B2 (C,)
    grad_x = grad_centred + grad_mean / len(centred)  # B1 (M, C)
    return grad_x, grad_weight, grad_bias


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, tuple]:
    """Normalize each channel by a constant mean and variance."""
    std = np.sqrt(var + eps)  # F1 (C,)
    normalized = (x - mean) / std  # F2 (M, C)
    scaled = normalized * weight  # F3 (M, C)
    y = scaled + bias  # F4 (M, C)
    return y, (std, normalized)


def batch_norm_inference_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm_inference`."""
    std, normalized = saved
    grad_bias = grad_y.sum(axis=0)  # B4 (C,)
    grad_weight = (grad_y * normalized).sum(axis=0)  # B3a (C,)
    grad_normalized = grad_y * weight  # B3b (M, C)
    grad_x = grad_normalized / std  # B2 (M, C)
    return grad_x, grad_weight, grad_bias


class _BatchNorm(ChannelNorm):
    functions = batch_norm, batch_norm_backward
    functions_in_evaluation = batch_norm_inference, batch_norm_inference_backward
    kernels_fold = False
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
        dtype: DType = np.float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has the layer's number of channels, and enough values for a variance."""
        if x.ndim not in self._ndims:
            expected = " or ".join(f"{ndim}D" for ndim in self._ndims)
            raise ValueError(f"{name_of(self)}: expected {expected} input, got shape {x.shape}")
        if x.shape[1] != self.num_features:
            raise RuntimeError(f"{name_of(self)}: expected {self.num_features} channels, got input of shape {x.shape}")
        if not self.normalizes_by_own_statistics():
            return
        if x.shape[0] * math.prod(x.shape[2:]) == 1:
            raise ValueError(
                f"{name_of(self)}: expected more than 1 value per channel when training, got input of shape {x.shape}"
            )
        if self.eps <= 0:
            raise ValueError(f"{name_of(self)}: expected eps to be positive when training, got {self.eps!r}")

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair for the batch's own statistics, or for the running ones, and its forward's arguments."""
        own = self.value("weight", absent=1.0), self.value("bias", absent=0.0), self.eps
        if self.normalizes_by_own_statistics():
            return self.functions, own
        return self.functions_in_evaluation, (*own, self.running_mean, self.running_var)

    def finish(self, x: np.ndarray, y: np.ndarray, *statistics: np.ndarray) -> np.ndarray:
        """Return ``y``; if the statistics are the batch's own, update the running ones."""
        if not statistics or not self.track_running_stats:
            return y
        if self.training:
            self.num_batches_tracked[...] = self.num_batches_tracked.item() + 1
        if x.size:
            mean, var = statistics
            self.update_running_stats(mean, var, x.size // x.shape[1])
        return y

    def update_running_stats(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        """Move the running statistics towards those of a batch of ``count`` values per channel."""
        momentum = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        for running, new, share in (
            (self.running_mean, mean, momentum),
            (self.running_var, var, momentum * count / (count - 1)),
        ):
            running *= 1.0 - momentum
            running += share * new

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, ...) to (M, C)."""
        return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.size else x.reshape(0, x.shape[1])

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (M, C) to (N, C, ...)."""
        return np.moveaxis(y.reshape(input_shape[0], *input_shape[2:], input_shape[1]), -1, 1)


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L).

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        Added to the variance.
    momentum : float or None
        The weight of the newest batch in the running statistics; None averages all batches equally.
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
    num_batches_tracked : numpy.ndarray of int64, shape (), or None

    Raises
    ------
    ValueError
        If the input has the wrong number of axes; and, where the batch's statistics are used, if there is only one
        value per channel, or ``eps`` is not positive.
    RuntimeError
        If the input's number of channels or its dtype is not the layer's.

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
