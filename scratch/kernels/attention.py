"""Scaled dot-product attention in place, a few examples at a time, on several threads.

The scores of a whole batch are more than a cache holds, and they are gone through seven times on the way to the weights
and back. Those of a few examples stay in the cache; they are written where the weights are to be in the end. The scale
is applied to the queries, of which there are fewer than scores.
"""

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.channel_sums import ones

# Of the scores in a block.
BLOCK_BYTES = 1 << 19


def scaled_dot_product_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    attn_mask: np.ndarray | float,
    factor: np.ndarray | float,
    scale: float,
    unseen: float,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the mean of the values that each query sees, what backward needs, and the weights."""
    shape, dtype = (*query.shape[:-1], key.shape[-2]), query.dtype
    scaled, y = empty_heads(query.shape, dtype), empty_heads((*query.shape[:-1], value.shape[-1]), dtype)
    p = memory.empty(shape, dtype)
    drops = isinstance(factor, np.ndarray) or factor != 1
    w = memory.empty(shape, dtype) if drops else p

    def work(part: slice) -> None:
        scores, q = p[part], np.multiply(query[part], scale, out=scaled[part])
        np.matmul(q, key[part].swapaxes(-1, -2), out=scores)
        if isinstance(attn_mask, np.ndarray) or attn_mask != 0:
            scores += _part_of(attn_mask, part, shape)
        _softmax(scores, unseen)
        weights = w[part]
        if drops:
            np.multiply(scores, _part_of(factor, part, shape), out=weights)
        np.matmul(weights, value[part], out=y[part])

    threads.run(work, _parts(shape, dtype))
    return y, (scaled, key, value, p, w), w


def scaled_dot_product_attention_backward(
    grad_y: np.ndarray, grad_weights: np.ndarray, factor: np.ndarray | float, scale: float, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `scaled_dot_product_attention`."""
    scaled, key, value, p, w = saved
    grad_query, grad_key, grad_value = (empty_heads(a.shape, a.dtype) for a in (scaled, key, value))
    drops, weights_are_read = w is not p, not _is_zero(grad_weights)

    def work(part: slice) -> None:
        grad, p_ = grad_y[part], p[part]
        np.matmul(w[part].swapaxes(-1, -2), grad, out=grad_value[part])
        grad_p = np.matmul(grad, value[part].swapaxes(-1, -2), out=memory.empty(p_.shape, p_.dtype))
        if weights_are_read:
            grad_p += _part_of(grad_weights, part, p.shape)
        if drops:
            grad_p *= _part_of(factor, part, p.shape)
        grad_p -= np.vecdot(grad_p, p_)[..., None]
        grad_scores = np.multiply(grad_p, p_, out=grad_p)
        np.matmul(grad_scores.swapaxes(-1, -2), scaled[part], out=grad_key[part])
        out = np.matmul(grad_scores, key[part], out=grad_query[part])
        out *= scale

    threads.run(work, _parts(p.shape, p.dtype))
    return grad_query, grad_key, grad_value


def empty_heads(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of arbitrary contents; for a shape (N, h, L, D), with the heads side by side in memory."""
    if len(shape) != 4:
        return memory.empty(shape, dtype)
    n, h, length, d = shape
    return memory.empty((n, length, h, d), dtype).swapaxes(1, 2)


def _softmax(scores: np.ndarray, unseen: float) -> None:
    m = np.maximum.reduce(scores, axis=-1, keepdims=True, initial=np.finfo(scores.dtype).min)  # finite: -inf stays -inf
    scores -= m
    np.exp(scores, out=scores)
    rows = scores.reshape(scores.size // max(scores.shape[-1], 1), scores.shape[-1])
    t = rows @ ones(rows.shape[1], rows.dtype)
    rows *= (1 / t)[:, None]
    hidden = t == 0
    if hidden.any():
        rows[hidden] = unseen


def _parts(shape: tuple[int, ...], dtype: np.dtype) -> list:
    if len(shape) == 2:
        return [...]
    return blocks(shape[0], int(np.prod(shape[1:])) * dtype.itemsize, BLOCK_BYTES)


def _part_of(added: np.ndarray | float, part: slice, shape: tuple[int, ...]) -> np.ndarray | float:
    """Return what belongs to a part of the scores, of an array that is broadcast to all of them."""
    return added[part] if isinstance(added, np.ndarray) and added.shape[:1] == shape[:1] and added.ndim == len(shape) else added


def _is_zero(grad_weights: np.ndarray | float) -> bool:
    """Return whether this is the zero that stands for the gradient of weights that nobody read."""
    if isinstance(grad_weights, np.ndarray):
        return not any(grad_weights.strides) and grad_weights.size > 0 and grad_weights.flat[0] == 0
    return grad_weights == 0
