r"""InstanceNorm2d: each channel of each image is normalized by its own pixels, as batch norm with a batch of one.

    N, C  batch, channels             x       (N, C, P)  input       weight, bias  (C, 1)
    P     pixels of a channel, H W    y       (N, C, P)  output      eps           against division by zero

instance_norm
    F1  mean = sum_p x / P                                    (N, C, 1)
    F2  centred = x - mean                                    (N, C, P)
    F3  square = centred^2                                    (N, C, P)
    F4  var = sum_p square / P                                (N, C, 1)
    F5  std = sqrt(var + eps)                                 (N, C, 1)
    F6  normalized = centred / std                            (N, C, P)
    F7  scaled = normalized weight                            (N, C, P)
    F8  y = scaled + bias                                     (N, C, P)

    B8  grad_bias = sum_np grad_y                             (C, 1)     F8: bias was broadcast over images and pixels,
                                                                         and a broadcast becomes a sum; grad_scaled is
                                                                         grad_y itself
    B7a grad_weight = sum_np grad_y normalized                (C, 1)     F7: a product, times the other factor; a sum
    B7b grad_normalized = grad_y weight                       (N, C, P)  F7: times the other factor
    B6  grad_std = -sum_p grad_normalized centred / std^2     (N, C, 1)  F6: a quotient, by its denominator; broadcast
    B5  grad_var = grad_std / (2 std)                         (N, C, 1)  F5: the derivative of the square root
    B4  grad_square = grad_var / P                            (N, C, 1)  F4: each of the mean's P terms has the same
                                                                         share
    B3  grad_centred = grad_normalized / std
                       + 2 centred grad_square                (N, C, P)  F6 and F3: centred is used twice, so two
                                                                         gradients are added
    B2  grad_mean = -sum_p grad_centred                       (N, C, 1)  F2: mean was broadcast: a sum
    B1  grad_x = grad_centred + grad_mean / P                 (N, C, P)  F2 and F1: x is used twice: an addition

This removes an image's own statistics, its brightness and contrast, and with them its style: hence the layer's use.
Training and evaluation are the same, unless running statistics are asked for (``track_running_stats``). These are
updated to ``(1 - momentum) old + momentum new``, where new is the mean over the images of mean and of var P / (P - 1),
and replace mean and var in evaluation. They are constants:

instance_norm_inference, where mean and var are (C, 1)
    F1  std = sqrt(var + eps)                                 (C, 1)
    F2  normalized = (x - mean) / std                         (N, C, P)
    F3  scaled = normalized weight                            (N, C, P)
    F4  y = scaled + bias                                     (N, C, P)

    B4  grad_bias = sum_np grad_y                             (C, 1)     F4: bias was broadcast: a sum
    B3a grad_weight = sum_np grad_y normalized                (C, 1)     F3: times the other factor; broadcast: a sum
    B3b grad_normalized = grad_y weight                       (N, C, P)  F3: times the other factor
    B2  grad_x = grad_normalized / std                        (N, C, P)  F2: a quotient, by its numerator

Source: Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016,
equation 3. PyTorch's counterpart: ``torch.nn.InstanceNorm2d``. Left out: ``device``. As there, ``num_batches_tracked``
stays 0, and a ``momentum`` of None counts as 0. Differs from PyTorch: an input whose number of channels is not
``num_features`` always raises; an empty batch is accepted and leaves the running statistics as they are, while in
PyTorch they become NaN, and a layer with weights fails.
"""

import math

import numpy as np

from scratch.checks import DType
from scratch.dispatch import Pair
from scratch.nn.channel_norm import ChannelNorm
from scratch.nn.parameter import Parameter
from scratch.nn.row_norm import reshaped


def instance_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Normalize each channel of each image over its pixels; also return the means and variances."""
    mean = x.sum(axis=2, keepdims=True) / x.shape[2]  # F1 (N, C, 1)
    centred = x - mean  # F2 (N, C, P)
    square = centred**2  # F3 (N, C, P)
    var = square.sum(axis=2, keepdims=True) / x.shape[2]  # F4 (N, C, 1)
    std = np.sqrt(var + eps)  # F5 (N, C, 1)
    normalized = centred / std  # F6 (N, C, P)
    scaled = normalized * weight  # F7 (N, C, P)
    y = scaled + bias  # F8 (N, C, P)
    return y, (centred, std, normalized), mean, var


def instance_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `instance_norm`."""
    centred, std, normalized = saved
    grad_bias = grad_y.sum(axis=2, keepdims=True).sum(axis=0)  # B8 (C, 1)
    grad_weight = (grad_y * normalized).sum(axis=2, keepdims=True).sum(axis=0)  # B7a (C, 1)
    grad_normalized = grad_y * weight  # B7b (N, C, P)
    grad_std = -(grad_normalized * centred).sum(axis=2, keepdims=True) / std**2  # B6 (N, C, 1)
    grad_var = grad_std / (2 * std)  # B5 (N, C, 1)
    grad_square = grad_var / centred.shape[2]  # B4 (N, C, 1)
    grad_centred = grad_normalized / std + 2 * centred * grad_square  # B3 (N, C, P)
    grad_mean = -grad_centred.sum(axis=2, keepdims=True)  # B2 (N, C, 1)
    grad_x = grad_centred + grad_mean / centred.shape[2]  # B1 (N, C, P)
    return grad_x, grad_weight, grad_bias


def instance_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, tuple]:
    """Normalize each channel by a constant mean and variance."""
    std = np.sqrt(var + eps)  # F1 (C, 1)
    normalized = (x - mean) / std  # F2 (N, C, P)
    scaled = normalized * weight  # F3 (N, C, P)
    y = scaled + bias  # F4 (N, C, P)
    return y, (std, normalized)


def instance_norm_inference_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `instance_norm_inference`."""
    std, normalized = saved
    grad_bias = grad_y.sum(axis=2, keepdims=True).sum(axis=0)  # B4 (C, 1)
    grad_weight = (grad_y * normalized).sum(axis=2, keepdims=True).sum(axis=0)  # B3a (C, 1)
    grad_normalized = grad_y * weight  # B3b (N, C, P)
    grad_x = grad_normalized / std  # B2 (N, C, P)
    return grad_x, grad_weight, grad_bias


class InstanceNorm2d(ChannelNorm):
    """Normalize each channel of each image, (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        Added to the variance.
    momentum : float or None
        The weight of the newest batch in the running statistics; None leaves them as they are.
    affine : bool
        Whether weight and bias, one for each channel, are learned and applied.
    track_running_stats : bool
        Whether running statistics are kept, and used in evaluation.
    bias : bool
        With ``affine``, whether b is learned and added.
    dtype : numpy dtype
        float32 or float64, of the layer's own arrays, the input and the output.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_features,), or None
    running_mean, running_var : numpy.ndarray of shape (num_features,), or None
    num_batches_tracked : numpy.ndarray of int64, shape (), or None

    Raises
    ------
    ValueError
        If the input has the wrong number of axes, or, with ``affine``, of channels, or only one pixel where it is
        normalized by its own statistics.
    RuntimeError
        If the input has the wrong number of channels, without ``affine``, or its dtype is not the layer's.

    Examples
    --------
    >>> layer = InstanceNorm2d(1, eps=1e-12)
    >>> layer(np.array([[[[1.0, 3.0]]], [[[50.0, 90.0]]]])).round(6)[:, 0, 0]
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    functions = instance_norm, instance_norm_backward
    functions_in_evaluation = instance_norm_inference, instance_norm_inference_backward

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, dtype)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has the layer's number of channels, and enough pixels for a variance."""
        shapes = f"(N, {self.num_features}, H, W) or ({self.num_features}, H, W)"
        said = f"InstanceNorm2d: expected input of shape {shapes}, got {x.shape}"
        if x.ndim not in (3, 4):
            raise ValueError(said)
        if x.shape[-3] != self.num_features:
            raise ValueError(said) if self.affine else RuntimeError(said)  # the same kind as PyTorch's
        if self.normalizes_by_own_statistics() and math.prod(x.shape[-2:]) == 1:
            raise ValueError(f"InstanceNorm2d: expected more than 1 pixel when training, got input of shape {x.shape}")

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the pair for the images' own statistics, or for the running ones, and its forward's arguments."""
        column = self.num_features, 1
        own = reshaped(self.weight, column, absent=1.0), reshaped(self.bias, column, absent=0.0), self.eps
        if self.normalizes_by_own_statistics():
            return self.functions, own
        return self.functions_in_evaluation, (*own, self.running_mean.reshape(column), self.running_var.reshape(column))

    def finish(self, x: np.ndarray, y: np.ndarray, *statistics: np.ndarray) -> np.ndarray:
        """Return ``y``; if the statistics are the images' own, update the running ones, if there are any."""
        if statistics and self.track_running_stats and x.size:
            mean, var = statistics
            self.update_running_stats(mean, var, math.prod(x.shape[-2:]))
        return y

    def update_running_stats(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        """Move the running statistics towards those of images of ``count`` pixels."""
        momentum = 0.0 if self.momentum is None else self.momentum
        for running, new in ((self.running_mean, mean), (self.running_var, count / (count - 1) * var)):
            running *= 1.0 - momentum
            running += momentum * new.mean(axis=0).reshape(-1)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, H, W) or (C, H, W) to (N, C, P)."""
        return x.reshape(math.prod(x.shape[:-3]), x.shape[-3], math.prod(x.shape[-2:]))

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (N, C, P) to the input's shape."""
        return y.reshape(input_shape)

    def unfold_grad(self, grad: np.ndarray, parameter: Parameter) -> np.ndarray:
        """Map a column to the parameter's shape."""
        return grad.reshape(parameter.shape)
