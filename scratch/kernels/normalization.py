"""LayerNorm and GroupNorm in few passes through memory, by the simplification of `scratch.nn.normalization`.

A bias comes with a weight.
"""

import numpy as np

from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> tuple[np.ndarray, tuple]:
    """Normalize each row, then scale and shift its numbers."""
    normalized, r = _normalize_rows(x, eps)
    y = normalized
    if isinstance(weight, np.ndarray):
        y = y * weight
    if isinstance(bias, np.ndarray):
        y += bias
    return y, (normalized, r)


def layer_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `layer_norm`; leave out what nobody reads."""
    normalized, r = saved
    grad_bias = np.add.reduce(grad_y, axis=0) if is_read(2) else None
    grad_weight = np.add.reduce(grad_y * normalized, axis=0) if is_read(1) else None
    grad_normalized = grad_y * weight if isinstance(weight, np.ndarray) else grad_y
    grad_x = _normalize_rows_backward(grad_normalized, normalized, r) if is_read(0) else None
    return grad_x, grad_weight, grad_bias


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, num_groups: int, eps: float
) -> tuple[np.ndarray, tuple]:
    """Normalize each group of channels of each example, then scale and shift each channel."""
    rows = x.shape[0] * num_groups, x.shape[1] * x.shape[2] // num_groups
    normalized, r = _normalize_rows(x.reshape(rows), eps)
    joined = normalized.reshape(x.shape)
    y = joined
    if isinstance(weight, np.ndarray):
        y = y * weight
    if isinstance(bias, np.ndarray):
        y += bias
    return y, (joined, r)


def group_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `group_norm`; leave out what nobody reads."""
    joined, r = saved
    grad_bias = channel_sum(grad_y)[:, np.newaxis] if is_read(2) else None
    grad_weight = channel_sum(grad_y * joined)[:, np.newaxis] if is_read(1) else None
    if not is_read(0):
        return None, grad_weight, grad_bias
    grad_joined = grad_y * weight if isinstance(weight, np.ndarray) else grad_y
    rows = len(r), joined.size // max(len(r), 1)
    grad_x = _normalize_rows_backward(grad_joined.reshape(rows), joined.reshape(rows), r).reshape(grad_y.shape)
    return grad_x, grad_weight, grad_bias


def _normalize_rows(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    # Map (R, K) to normalized (R, K) and 1 / std (R, 1).
    count = max(x.shape[1], 1)
    centred = x - np.add.reduce(x, axis=1, keepdims=True) / count
    centred -= np.add.reduce(centred, axis=1, keepdims=True) / count
    var = np.vecdot(centred, centred)[:, np.newaxis] / count
    r = 1.0 / np.sqrt(var + eps)
    return np.multiply(centred, r, out=centred), r


def _normalize_rows_backward(grad_normalized: np.ndarray, normalized: np.ndarray, r: np.ndarray) -> np.ndarray:
    # Map the gradient of normalized (R, K) to that of the rows (R, K).
    count = max(normalized.shape[1], 1)
    mean = np.add.reduce(grad_normalized, axis=1, keepdims=True) / count
    along = np.vecdot(grad_normalized, normalized)[:, np.newaxis] / count
    grad_x = normalized * along
    np.subtract(grad_normalized, grad_x, out=grad_x)
    grad_x -= mean
    grad_x *= r
    return grad_x
