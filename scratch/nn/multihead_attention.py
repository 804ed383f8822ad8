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
from scratch.checks import DType, check_dtype, check_float_dtype, check_grad_output
from scratch.nn import init
from scratch.nn.attention import scaled_dot_product_attention, scaled_dot_product_attention_backward
from scratch.nn.attention_mask import additive_mask, mask_of_heads
from scratch.nn.layer import Layer
from scratch.nn.linear import Linear
from scratch.nn.parameter import Parameter


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


class MultiheadAttention(Layer):
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
    learned = "in_proj_weight", "in_proj_bias"
    inputs = grad_inputs = 3
    outputs = 2

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"MultiheadAttention: expected embed_dim and num_heads of 1 or more, got {embed_dim} and {num_heads}"
            )
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: expected embed_dim to be a multiple of num_heads, got {embed_dim} and {num_heads}"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"MultiheadAttention: expected dropout within [0, 1], got {dropout!r}")
        left_out = (
            ("add_bias_kv", add_bias_kv, add_bias_kv is False),
            ("add_zero_attn", add_zero_attn, add_zero_attn is False),
            ("kdim", kdim, kdim is None or kdim == embed_dim),
            ("vdim", vdim, vdim is None or vdim == embed_dim),
        )
        for name, value, fits in left_out:
            if not fits:
                raise NotImplementedError(
                    f"MultiheadAttention: {name} is not supported; expected the default, got {value!r}"
                )
        dtype = check_float_dtype(self, dtype)
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.in_proj_weight = Parameter(np.empty((3 * embed_dim, embed_dim), dtype))
        self.in_proj_bias = Parameter(np.empty(3 * embed_dim, dtype)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        # The name is PyTorch's. `out_proj` has already drawn its own weight.
        init.xavier_uniform_(self.in_proj_weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    # Shapes. The function takes (N, L, E); the caller has that, (L, N, E), or (L, E).

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Bring a sequence into the shape (N, L, E)."""
        if x.ndim == 2:
            return x[None]
        return x if self.batch_first else x.swapaxes(0, 1)

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Undo `fold`."""
        if len(input_shape) == 2:
            return y[0]
        return y if self.batch_first else y.swapaxes(0, 1)

    def steps_first(self, x: np.ndarray) -> np.ndarray:
        """Return (N, L, E) as (L, N, E), or the other way round, if ``batch_first``; other sequences as they are.

        In PyTorch's memory the output always lies step by step, and a Dropout behind it draws in that order.
        """
        return x.swapaxes(0, 1) if self.batch_first and x.ndim == 3 else x

    def check_arrays(self, query: np.ndarray, key: Any, value: Any) -> None:
        """Raise unless query, key and value fit each other."""
        self.check_input(query)
        check_dtype(self, key, query.dtype, "key")
        check_dtype(self, value, query.dtype, "value")
        size = self.embed_dim
        if query.ndim not in (2, 3) or query.shape[-1] != size:
            raise RuntimeError(
                f"MultiheadAttention: expected query with 2 or 3 axes, the last {size} long, got {query.shape}"
            )
        if key.ndim != query.ndim or value.shape != key.shape or key.shape[-1] != size:
            raise RuntimeError(
                f"MultiheadAttention: expected key and value of one shape, with {query.ndim} axes, the last {size} "
                f"long, got {key.shape} and {value.shape}"
            )
        if len(self.fold(key)) != len(self.fold(query)):
            raise RuntimeError(
                f"MultiheadAttention: expected key of query's batch size, got {key.shape} for {query.shape}"
            )

    # The passes.

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

    def grad_of_each_head(self, grad: Any, weights: np.ndarray, batched: bool) -> np.ndarray:
        """Return the gradient of all heads' weights, given that of what forward returned: these, or their mean."""
        each = weights.shape if batched else weights.shape[1:]
        mean = weights.shape[:1] + weights.shape[2:] if batched else weights.shape[2:]
        averaged = np.ndim(grad) == len(mean)
        check_grad_output(self, grad, mean if averaged else each, weights.dtype)
        grad = grad if batched else grad[None]
        return np.broadcast_to(grad[:, None] / self.num_heads, weights.shape) if averaged else grad

    def extra_repr(self) -> str:
        """Return nothing, as PyTorch does."""
        return ""
