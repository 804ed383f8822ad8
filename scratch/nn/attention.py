r"""Scaled dot-product attention: every query looks at all keys, and takes the values of those that fit it.

    L  queries     query    (..., L, D)  what is looked for       attn_mask  (..., L, S)  added to the scores: 0 where a
    S  keys        key      (..., S, D)  what is looked at                   query may see a key, -infinity where not
    D  of a key    value    (..., S, V)  what is taken from it    factor     (..., L, S)  of dropout; 1 for none
    V  of a value  weights  (..., L, S)  how much of each         scale      usually 1 / sqrt(D)
                   y        (..., L, V)  output                   unseen     the weights of a query that sees no key

scaled_dot_product_attention
    F1  scores = scale query key^T               (..., L, S)  how well each key fits each query
    F2  masked = scores + attn_mask              (..., L, S)
    F3  m = max_s masked                         (..., L, 1)
    F4  z = masked - m, or masked
            where a query sees no key            (..., L, S)  changes no output, and keeps exp from overflowing
    F5  e = exp(z)                               (..., L, S)  0 where a key is hidden
    F6  t = sum_s e                              (..., L, 1)
    F7  p = e / t, or unseen
            where a query sees no key            (..., L, S)  probabilities: softmax
    F8  w = p factor                             (..., L, S)
    F9  weights = w                              (..., L, S)  returned for inspection
    F10 y = w value                              (..., L, V)  a mean of the values

    B10a grad_value = w^T grad_y                 (..., S, V)  F10: a product, as in Linear
    B10b grad_w = grad_weights + grad_y value^T  (..., L, S)  F10 and F9: w is used twice: an addition
    B8  grad_p = grad_w factor                   (..., L, S)  F8: a product, times the other factor
    B2  grad_scores =
            p (grad_p - sum_s grad_p p)          (..., L, S)  F7 to F2: softmax, as below; the mask is a constant
    B1a grad_query = scale grad_scores key       (..., L, D)  F1: a product, as in Linear
    B1b grad_key = scale grad_scores^T query     (..., S, D)  F1: likewise

B2 is the product with softmax's Jacobian, dp_s / dscores_r = p_s ((s = r) - p_r): a score raises its own probability
and lowers all others. `scratch.nn.softmax` derives it step by step. The Jacobian of one query is the matrix
diag(p) - p p^T, of S^2 numbers; the formula takes 2 S products instead. A hidden key has p = 0, so it gets no gradient.

The scale. For independent numbers of mean 0 and variance 1, a sum of D products has variance D. A softmax of such large
scores would put nearly all weight on one key, and leave hardly any gradient for the others.

A query that sees no key has no mean to return. `unseen` is the value of its weights: 0, or NaN.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1. PyTorch's counterpart:
``torch.nn.functional.scaled_dot_product_attention``, where the mask is made from ``attn_mask`` and ``is_causal``
(`scratch.nn.attention_mask`), `unseen` is 0, and the weights are not returned.
"""

import numpy as np


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
    scores = scale * (query @ key.swapaxes(-1, -2))  # F1 (..., L, S)
    masked = scores + attn_mask  # F2 (..., L, S)
    m = masked.max(axis=-1, keepdims=True, initial=-np.inf)  # F3 (..., L, 1)
    z = np.where(m == -np.inf, masked, masked - m)  # F4 (..., L, S)
    e = np.exp(z)  # F5 (..., L, S)
    t = e.sum(axis=-1, keepdims=True)  # F6 (..., L, 1)
    p = np.where(t == 0, unseen, e / t)  # F7 (..., L, S)
    w = p * factor  # F8 (..., L, S)
    weights = w  # F9 (..., L, S)
    y = w @ value  # F10 (..., L, V)
    return y, (query, key, value, p, w), weights


def scaled_dot_product_attention_backward(
    grad_y: np.ndarray, grad_weights: np.ndarray, factor: np.ndarray | float, scale: float, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `scaled_dot_product_attention`."""
    query, key, value, p, w = saved
    grad_value = w.swapaxes(-1, -2) @ grad_y  # B10a (..., S, V)
    grad_w = grad_weights + grad_y @ value.swapaxes(-1, -2)  # B10b (..., L, S)
    grad_p = grad_w * factor  # B8 (..., L, S)
    grad_scores = p * (grad_p - (grad_p * p).sum(axis=-1, keepdims=True))  # B2 (..., L, S)
    grad_query = scale * (grad_scores @ key)  # B1a (..., L, D)
    grad_key = scale * (grad_scores.swapaxes(-1, -2) @ query)  # B1b (..., S, D)
    return grad_query, grad_key, grad_value
