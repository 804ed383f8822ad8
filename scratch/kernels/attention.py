"""Scaled dot-product attention in place, a few examples at a time, on several threads.

The scores of a whole batch do not fit in a cache, and going to the weights and back takes ten passes over them. Those
of a few examples stay in the cache, and are turned into the weights in place. The scale multiplies the queries, which
are fewer than the scores.
"""

import math
from itertools import product

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.rows import row_dot, row_sum

# For the scores that are worked on at once.
BLOCK_BYTES = 5 << 17
# Scores between -32 and 32 do not need their maximum subtracted before exp: neither exp nor a sum of many comes near
# overflow or underflow, and the rounding error of a score would be in the difference as well.
MODERATE = 32.0

_Block = tuple[slice, ...]


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
    mask, factors = _spread(attn_mask, 0.0, shape, dtype), _spread(factor, 1.0, shape, dtype)
    p = memory.empty(shape, dtype)
    w = p if factors is None else memory.empty(shape, dtype)

    def work(block: _Block) -> None:
        scores, weights = p[block], w[block]
        np.matmul(np.multiply(query[block], scale, out=scaled[block]), key[block].swapaxes(-1, -2), out=scores)
        if mask is not None:
            scores += mask[block]
        _softmax(_rows(scores), unseen)
        if factors is not None:
            np.multiply(scores, factors[block], out=weights)
        np.matmul(weights, value[block], out=y[block])

    threads.run(work, _blocks(shape, dtype))
    return y, (scaled, key, value, p, w), w


def scaled_dot_product_attention_backward(
    grad_y: np.ndarray, grad_weights: np.ndarray, factor: np.ndarray | float, scale: float, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `scaled_dot_product_attention`."""
    scaled, key, value, p, w = saved
    grad_query, grad_key, grad_value = (empty_heads(array.shape, array.dtype) for array in (scaled, key, value))
    factors, grads = _spread(factor, 1.0, p.shape, p.dtype), _spread(grad_weights, 0.0, p.shape, p.dtype)

    def work(block: _Block) -> None:
        grad, probabilities = grad_y[block], p[block]
        np.matmul(w[block].swapaxes(-1, -2), grad, out=grad_value[block])
        room = memory.empty(probabilities.shape, p.dtype)
        grad_p = np.matmul(grad, value[block].swapaxes(-1, -2), out=room)
        if grads is not None:
            grad_p += grads[block]
        if factors is not None:
            grad_p *= factors[block]
        rows = _rows(room)
        rows -= row_dot(rows, _rows(probabilities))
        grad_scores = np.multiply(grad_p, probabilities, out=room)
        np.matmul(grad_scores.swapaxes(-1, -2), scaled[block], out=grad_key[block])
        out = np.matmul(grad_scores, key[block], out=grad_query[block])
        out *= scale

    threads.run(work, _blocks(p.shape, p.dtype))
    return grad_query, grad_key, grad_value


def empty_heads(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array of arbitrary contents; of the shape (N, h, L, D), with an example's heads side by side."""
    if len(shape) != 4:
        return memory.empty(shape, dtype)
    n, h, length, d = shape
    return memory.empty((n, length, h, d), dtype).swapaxes(1, 2)


def _rows(scores: np.ndarray) -> np.ndarray:
    """Return (..., S) as (R, S)."""
    return scores.reshape(math.prod(scores.shape[:-1]), scores.shape[-1])


def _softmax(scores: np.ndarray, unseen: float) -> None:
    """Turn rows of scores (R, S) into probabilities."""
    line = scores.reshape(-1)
    moderate = np.minimum.reduce(line, initial=0.0) > -MODERATE and np.maximum.reduce(line, initial=0.0) < MODERATE
    if not moderate:
        # From a row of -inf the lowest finite number is subtracted, which leaves -inf.
        lowest = np.finfo(scores.dtype).min
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True, initial=lowest)
    np.exp(scores, out=scores)
    t = row_sum(scores)
    scores /= t  # not times 1 / t: the only key seen has probability exactly 1, and its score no gradient
    if not moderate:
        np.copyto(scores, unseen, where=t == 0)


def _spread(value: np.ndarray | float, neutral: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    """Return a view of ``value`` with the whole shape; None for one number that changes nothing."""
    array = np.asarray(value, dtype)
    if array.size and not any(array.strides) and array.flat[0] == neutral:
        return None
    return np.broadcast_to(array, shape)


def _blocks(shape: tuple[int, ...], dtype: np.dtype) -> list[_Block]:
    """Return the indices of a few examples each, or of a few heads of one; they depend on the arguments alone."""
    if len(shape) < 3:
        return [()]
    example = math.prod(shape[1:]) * dtype.itemsize
    examples = blocks(shape[0], example, BLOCK_BYTES)
    if len(shape) == 3 or example <= BLOCK_BYTES:
        return [(part,) for part in examples]
    return list(product(examples, blocks(shape[1], example // shape[1], BLOCK_BYTES)))
