"""MultiheadAttention with its products on our threads, and heads that are cut and put together without copies."""

import numpy as np

from scratch.kernels import threads
from scratch.kernels.attention import (
    empty_heads,
    scaled_dot_product_attention,
    scaled_dot_product_attention_backward,
)
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read


def multi_head_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    in_proj_weight: np.ndarray,
    in_proj_bias: np.ndarray,
    attn_mask: np.ndarray | float,
    factor: np.ndarray | float,
    scale: float,
    unseen: float,
    num_heads: int,
) -> tuple[np.ndarray, tuple, np.ndarray]:
    """Return the heads' outputs side by side, what backward needs, and the heads' weights."""
    size = query.shape[2]
    w = in_proj_weight.reshape(3, size, size)
    heads = []
    for x, weight, bias in zip((query, key, value), w, in_proj_bias.reshape(3, size)):
        projected = threads.matmul(x.reshape(-1, size), weight.T)
        projected += bias
        heads.append(projected.reshape(*x.shape[:2], num_heads, size // num_heads).swapaxes(1, 2))
    o, inner, weights = scaled_dot_product_attention(*heads, attn_mask, factor, scale, unseen)
    return o.swapaxes(1, 2).reshape(query.shape), (query, key, value, w, inner), weights


def multi_head_attention_backward(
    grad_y: np.ndarray,
    grad_weights: np.ndarray,
    factor: np.ndarray | float,
    scale: float,
    num_heads: int,
    saved: tuple,
) -> tuple[np.ndarray | None, ...]:
    """Undo `multi_head_attention`; leave out what nobody reads."""
    query, key, value, w, inner = saved
    size = query.shape[2]
    grad_o = grad_y.reshape(*grad_y.shape[:2], num_heads, size // num_heads).swapaxes(1, 2)
    grads = scaled_dot_product_attention_backward(grad_o, grad_weights, factor, scale, inner)
    rows = [grad.swapaxes(1, 2).reshape(-1, size) for grad in grads]
    grad_w, grad_b = np.empty_like(w), np.empty((3,size),w.dtype)
    out=[]
    for i, (x,g) in enumerate(zip((query,key,value),rows)):
        out.append(threads.matmul(g, w[i]).reshape(x.shape))
        grad_w[i] = threads.matmul(g.T, x.reshape(-1,size))
        grad_b[i] = channel_sum(g)
    return *out, grad_w.reshape(-1,size), grad_b.reshape(-1)
