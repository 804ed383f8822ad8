r"""MultiheadAttention: several attentions side by side, each on projections of its own.

    N  batch        query  (N, L, E)  what is looked for         in_proj_weight  (3E, E)  rows for q, k and v
    L  queries      key    (N, S, E)  what is looked at          in_proj_bias    (3E,)
    S  keys         value  (N, S, E)  what is taken from it      attn_mask, factor, scale, unseen: as in
    E  embed_dim    y      (N, L, E)  output, before out_proj      `scratch.nn.attention`
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

After that comes the layer `out_proj`. In self-attention query, key and value are one array that is used three times.
Its gradient is the sum of the three that backward returns, and the model writes out that sum.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.2. PyTorch's counterpart:
``torch.nn.MultiheadAttention``. Left out: ``add_bias_kv``, ``add_zero_attn``, ``kdim`` and ``vdim`` other than
``embed_dim``, and ``device``.
"""

import math
from typing import Any

import numpy as np

from scratch import random
from scratch.checks import check_grad_output
from scratch.nn.attention import scaled_dot_product_attention, scaled_dot_product_attention_backward
from scratch.nn.attention_layer import AttentionLayer
from scratch.nn.attention_mask import additive_mask, mask_of_heads


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


class MultiheadAttention(AttentionLayer):
    """Queries look at keys, in several ways at once, and take the values of those that fit.

    Parameters
    ----------
    embed_dim : int
        Size of the last axis of query, key, value and output.
    num_heads : int
        How many heads there are; each has ``embed_dim // num_heads`` of the numbers.
    dropout : float
        Probability that an attention weight is dropped, in training.
    bias : bool
        Whether the biases of all projections are learned and added.
    add_bias_kv, add_zero_attn, kdim, vdim
        Left out: only their defaults are accepted, and ``embed_dim`` for ``kdim`` and ``vdim``.
    batch_first : bool
        Whether the arrays are (N, L, E) instead of (L, N, E).
    dtype : numpy dtype
        float32 or float64, of the parameters, the inputs and the output.

    Attributes
    ----------
    in_proj_weight : Parameter, shape (3 embed_dim, embed_dim)
        Rows for queries, keys and values.
    in_proj_bias : Parameter of shape (3 embed_dim,), or None
    out_proj : Linear

    Raises
    ------
    ValueError
        If a size is not positive, ``embed_dim`` is not a multiple of ``num_heads``, or ``dropout`` is not within
        [0, 1].
    NotImplementedError
        For an option that is left out.
    RuntimeError
        If a shape or dtype does not fit.

    Examples
    --------
    With zero weights for queries and keys all keys fit equally well, and the output is a projection of the values'
    mean:

    >>> layer = MultiheadAttention(2, 1, batch_first=True, dtype=np.float64)
    >>> layer.in_proj_weight.data[...], layer.out_proj.weight.data[...] = 0.0, np.eye(2)
    >>> layer.in_proj_weight.data[4:] = np.eye(2)
    >>> query, keys = np.ones((1, 1, 2)), np.array([[[1.0, 2.0], [3.0, 6.0]]])
    >>> y, weights = layer(query, keys, keys)
    >>> y, weights
    (array([[[2., 4.]]]), array([[[0.5, 0.5]]]))
    >>> grad_query, grad_key, grad_value = layer.backward(np.array([[[8.0, 0.0]]]))
    >>> grad_value
    array([[[4., 0.],
            [4., 0.]]])
    """

    functions = multi_head_attention, multi_head_attention_backward

    def forward(  # type: ignore[override]
        self,
        query: np.ndarray,
        key: np.ndarray,
        value: np.ndarray,
        key_padding_mask: np.ndarray | None = None,
        need_weights: bool = True,
        attn_mask: np.ndarray | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Let each query look at the keys.

        Parameters
        ----------
        query, key, value : numpy.ndarray, shapes (L, N, E), (S, N, E) and (S, N, E)
            (N, L, E) and so on if ``batch_first``; without N for one sequence.
        key_padding_mask : numpy.ndarray, shape (N, S), optional
            True where a key is padding, which no query may see; or floats, which are added to the scores.
        need_weights : bool
            Whether to return the weights. A query that may see no key gets NaN if so, and 0 if not, as in PyTorch.
        attn_mask : numpy.ndarray, shape (L, S) or (N num_heads, L, S), optional
            True where a query may not see a key; or floats, which are added to the scores.
        average_attn_weights : bool
            Whether the weights are averaged over the heads, (N, L, S); otherwise they are (N, num_heads, L, S).
        is_causal : bool
            A hint that ``attn_mask``, which must be given, lets no query see later keys. As in PyTorch, a causal mask
            then replaces it if there are no weights to return and no padding.

        Returns
        -------
        output, weights
            The output has query's shape; the weights may be None.
        """
        self.check_arrays(query, key, value)
        batched, (batch, length, _), keys = query.ndim == 3, self.fold(query).shape, self.fold(key).shape[1]
        shape = batch, self.num_heads, length, keys
        if is_causal and attn_mask is None:
            raise RuntimeError("MultiheadAttention: expected attn_mask along with is_causal, got None")
        if is_causal and key_padding_mask is None and not need_weights:
            mask = additive_mask(None, True, length, keys, query.dtype)
        else:
            mask = mask_of_heads(self, shape, batched, query.dtype, attn_mask, key_padding_mask)
        factor: np.ndarray | float = 1.0
        if self.training and self.dropout:
            factor = np.zeros(shape, query.dtype)
            if self.dropout < 1:
                random.bernoulli_(factor, 1 - self.dropout)
                factor /= 1 - self.dropout
        scale, unseen = 1 / math.sqrt(self.embed_dim // self.num_heads), math.nan if need_weights else 0.0
        bias = np.zeros(3 * self.embed_dim, query.dtype) if self.in_proj_bias is None else self.in_proj_bias.data
        y, weights = self.run(
            self.functions,
            query,
            self.fold(key),
            self.fold(value),
            self.in_proj_weight.data,
            bias,
            mask,
            factor,
            scale,
            unseen,
            self.num_heads,
        )
        y = np.ascontiguousarray(self.steps_first(y))
        y.setflags(write=False)  # nobody else holds it, so `out_proj` need not copy it
        output = self.steps_first(self.out_proj(y))
        if not need_weights:
            return output, None
        weights = weights.mean(axis=1) if average_attn_weights else weights.copy()
        return output, weights if batched else weights[0]

    def backward(self, grad_output: np.ndarray | None, grad_weights: np.ndarray | None = None) -> tuple[Any, Any, Any]:
        """Map the gradients of output and weights, None for one that is not used, to those of query, key and value."""
        record = self.record()
        input_shape, (weights,) = record.input_shape, record.others
        if grad_output is None:
            grad_output = np.zeros(record.output_shape, record.dtype)
        check_grad_output(self, grad_output, record.output_shape, record.dtype)
        if grad_weights is not None:
            grad_weights = self.grad_of_each_head(grad_weights, weights, len(input_shape) == 3)
        grad_y = self.steps_first(self.out_proj.backward(self.steps_first(grad_output)))
        grad_query, grad_key, grad_value = super().backward(grad_y, grad_weights)
        if not self.needs_input_grad:
            return None, None, None
        if not record.constant:
            grad_query = self.unfold(grad_query, input_shape)
        return grad_query, self.unfold(grad_key, input_shape), self.unfold(grad_value, input_shape)

    def _call_off(self) -> None:
        super()._call_off()
        self.out_proj._call_off()
