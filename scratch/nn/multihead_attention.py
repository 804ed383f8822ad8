r"""MultiheadAttention: several attentions side by side, each on projections of its own.

    N  batch        query  (N, L, E)  what is looked for         in_proj_weight  (3E, E)  rows for q, k and v
    L  queries      key    (N, S, E)  what is looked at          in_proj_bias    (3E,)
    S  keys         value  (N, S, E)  what is taken from it      attn_mask, factor, scale, unseen: as in
    E  embed_dim    y      (N, L, E)  output, before out_proj    `scratch.nn.attention`
    h  num_heads    D      E / h: the part of E that a head has

multi_head_attention
    F1  w_q, w_k, w_v = thirds of in_proj_weight (E, E)        each
    F2  b_q, b_k, b_v = thirds of in_proj_bias   (E,)          each
    F3  q = query w_q^T + b_q                    (N, L, E)
    F4  k = key w_k^T + b_k                      (N, S, E)
    F5  v = value w_v^T + b_v                    (N, S, E)
    F6  q_h, k_h, v_h = q, k, v, cut into heads  (N, h, ., D)
    F7  o, weights = attention(q_h, k_h, v_h)    (N, h, L, D)  `scratch.nn.attention`, for all heads at once
    F8  y = the heads of o, side by side         (N, L, E)

    B8  grad_o = grad_y, cut into heads          (N, h, L, D)  F8: moves numbers; each gradient goes back to its place
    B7  grad_q_h, grad_k_h, grad_v_h =
            attention_backward(grad_o)           (N, h, ., D)  F7
    B6  grad_q, grad_k, grad_v = their heads,
            side by side                         (N, ., E)     F6: moves numbers
    B5a grad_value = grad_v w_v                  (N, S, E)     F5: as in Linear
    B5b grad_w_v = sum_n grad_v^T value          (E, E)        F5: as in Linear
    B4a grad_key = grad_k w_k                    (N, S, E)     F4: likewise
    B4b grad_w_k = sum_n grad_k^T key            (E, E)        F4: likewise
    B3a grad_query = grad_q w_q                  (N, L, E)     F3: likewise
    B3b grad_w_q = sum_n grad_q^T query          (E, E)        F3: likewise
    B2  grad_in_proj_bias = sums of grad_q,
            grad_k, grad_v                       (3E,)         F3 to F5 and F2: a broadcast becomes a sum over batch
                                                               and sequence; the thirds, one after the other
    B1  grad_in_proj_weight = grad_w_q, grad_w_k,
            grad_w_v                             (3E, E)       F1: the thirds, one after the other

Then comes the layer `out_proj`. In self-attention query, key and value are one array, used three times: its gradient is
the sum of the three that backward returns, written out by the model.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2. PyTorch's counterpart:
``torch.nn.MultiheadAttention``.
"""

import numpy as np

from scratch.nn.attention import scaled_dot_product_attention, scaled_dot_product_attention_backward


def to_heads(a: np.ndarray, num_heads: int) -> np.ndarray:
    """Cut (N, L, E) into heads, (N, h, L, D)."""
    return a.reshape(*a.shape[:2], num_heads, a.shape[2] // num_heads).swapaxes(1, 2)


def from_heads(a: np.ndarray) -> np.ndarray:
    """Put the heads (N, h, L, D) side by side, (N, L, E)."""
    a = a.swapaxes(1, 2)
    return a.reshape(*a.shape[:2], a.shape[2] * a.shape[3])


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
    w_q, w_k, w_v = np.split(in_proj_weight, 3)  # F1 (E, E)
    b_q, b_k, b_v = np.split(in_proj_bias, 3)  # F2 (E,)
    q = query @ w_q.T + b_q  # F3 (N, L, E)
    k = key @ w_k.T + b_k  # F4 (N, S, E)
    v = value @ w_v.T + b_v  # F5 (N, S, E)
    q_h, k_h, v_h = (to_heads(a, num_heads) for a in (q, k, v))  # F6 (N, h, ., D)
    o, inner, weights = scaled_dot_product_attention(q_h, k_h, v_h, attn_mask, factor, scale, unseen)  # F7 (N, h, L, D)
    y = from_heads(o)  # F8 (N, L, E)
    return y, (query, key, value, w_q, w_k, w_v, inner), weights


def multi_head_attention_backward(
    grad_y: np.ndarray,
    grad_weights: np.ndarray,
    factor: np.ndarray | float,
    scale: float,
    num_heads: int,
    saved: tuple,
) -> tuple[np.ndarray, ...]:
    """Undo `multi_head_attention`."""
    query, key, value, w_q, w_k, w_v, inner = saved
    grad_o = to_heads(grad_y, num_heads)  # B8 (N, h, L, D)
    grad_q_h, grad_k_h, grad_v_h = scaled_dot_product_attention_backward(
        grad_o, grad_weights, factor, scale, inner
    )  # B7 (N, h, ., D)
    grad_q, grad_k, grad_v = (from_heads(a) for a in (grad_q_h, grad_k_h, grad_v_h))  # B6 (N, ., E)
    grad_value = grad_v @ w_v  # B5a (N, S, E)
    grad_w_v = (grad_v.swapaxes(1, 2) @ value).sum(axis=0)  # B5b (E, E)
    grad_key = grad_k @ w_k  # B4a (N, S, E)
    grad_w_k = (grad_k.swapaxes(1, 2) @ key).sum(axis=0)  # B4b (E, E)
    grad_query = grad_q @ w_q  # B3a (N, L, E)
    grad_w_q = (grad_q.swapaxes(1, 2) @ query).sum(axis=0)  # B3b (E, E)
    grad_in_proj_bias = np.concatenate([a.sum(axis=(0, 1)) for a in (grad_q, grad_k, grad_v)])  # B2 (3E,)
    grad_in_proj_weight = np.concatenate([grad_w_q, grad_w_k, grad_w_v])  # B1 (3E, E)
    return grad_query, grad_key, grad_value, grad_in_proj_weight, grad_in_proj_bias
