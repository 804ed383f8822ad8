"""Batch norm in few passes through memory; sums as matrix products.

Channels are axis 1 of any number of axes: besides (M, C), as in the plain functions, also (N, C, L) and (N, C, H, W) as
they are, which `scratch.kernels.batchnorm_images` handles. Backward is the simplification of `scratch.nn.batchnorm`.
"""

import numpy as np

from scratch.kernels import batchnorm_images, memory
from scratch.kernels.channel_sums import channel_mean, channel_sum


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Normalize each channel over the batch; also return its mean and variance."""
    if x.ndim > 2:
        return batchnorm_images.batch_norm(x, weight, bias, eps)
    count = max(len(x), 1)  # an empty batch has sums of zero, and its means are never read
    centred, y = memory.empty_like(x), memory.empty_like(x)
    mean = channel_mean(x)
    np.subtract(x, mean, out=centred)
    np.multiply(centred, centred, out=y)
    var = channel_mean(y)
    inv_std = np.reciprocal(np.sqrt(var + eps))
    scale = _scale_and_shift(centred, inv_std, weight, bias, y)
    return y, (centred, inv_std, scale, count), mean, var


def batch_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm`."""
    if grad_y.ndim > 2:
        return batchnorm_images.batch_norm_backward(grad_y, weight, saved)
    centred, inv_std, scale, count = saved
    grad_x, grad_weight, grad_bias = _sums(grad_y, centred, inv_std)
    np.multiply(centred, grad_weight * inv_std / count, out=grad_x)
    np.subtract(grad_y, grad_x, out=grad_x)
    grad_x -= grad_bias / count
    grad_x *= scale
    return grad_x, grad_weight, grad_bias


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, tuple]:
    """Normalize each channel by a mean and a variance that are constants."""
    if x.ndim > 2:
        return batchnorm_images.batch_norm_inference(x, weight, bias, eps, mean, var)
    centred, y = memory.empty_like(x), memory.empty_like(x)
    np.subtract(x, mean, out=centred)
    inv_std = np.reciprocal(np.sqrt(var + eps))
    scale = _scale_and_shift(centred, inv_std, weight, bias, y)
    return y, (centred, inv_std, scale)


def batch_norm_inference_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm_inference`."""
    if grad_y.ndim > 2:
        return batchnorm_images.batch_norm_inference_backward(grad_y, weight, saved)
    centred, inv_std, scale = saved
    grad_x, grad_weight, grad_bias = _sums(grad_y, centred, inv_std)
    np.multiply(grad_y, scale, out=grad_x)
    return grad_x, grad_weight, grad_bias


def _scale_and_shift(
    centred: np.ndarray, inv_std: np.ndarray, weight: np.ndarray, bias: np.ndarray, y: np.ndarray
) -> np.ndarray:
    # Write the output into y; return what centred was multiplied by.
    scale = inv_std * weight
    np.multiply(centred, scale, out=y)
    if isinstance(bias, np.ndarray):
        y += bias
    return scale


def _sums(grad_y: np.ndarray, centred: np.ndarray, inv_std: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Room for the input's gradient, and the gradients of weight and bias.
    grad_bias = channel_sum(grad_y)
    room = np.multiply(grad_y, centred, out=memory.empty_like(centred))
    return room, channel_sum(room) * inv_std, grad_bias
