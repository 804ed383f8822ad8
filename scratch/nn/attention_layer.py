"""AttentionLayer: what MultiheadAttention is made of: its options, its parameters, and the shapes that it takes.

`scratch.nn.multihead_attention` has the derivation and the passes.
"""

from typing import Any

import numpy as np

from scratch.checks import DType, check_dtype, check_float_dtype, check_grad_output
from scratch.nn import init
from scratch.nn.layer import Layer
from scratch.nn.linear import Linear
from scratch.nn.parameter import Parameter


class AttentionLayer(Layer):
    """Base of `MultiheadAttention`, which says what the arguments are."""

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
