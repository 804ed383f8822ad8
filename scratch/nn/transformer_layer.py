"""What the transformer's layers share: their parts, and the two blocks that both kinds of layer have.

    _sa_block    x -> self_attn(x, x, x) -> dropout1                        each position looks at all positions
    _ff_block    x -> linear1 -> activation -> dropout -> linear2 -> dropout    each position alone

The names are PyTorch's. A block's backward undoes its layers, the last one first. In self-attention x is used three
times, as query, key and value, so the three gradients are added.
"""

import copy
from functools import partial
from typing import Any, ClassVar

import numpy as np

from scratch.checks import DType, check_dtype, is_integer, name_of
from scratch.nn.dropout import Dropout
from scratch.nn.gelu import GELU
from scratch.nn.layernorm import LayerNorm
from scratch.nn.linear import Linear
from scratch.nn.module import Module
from scratch.nn.module_list import ModuleList
from scratch.nn.multihead_attention import MultiheadAttention
from scratch.nn.ownership import private
from scratch.nn.relu import ReLU

ACTIVATIONS = {"relu": ReLU, "gelu": GELU}


class TransformerLayer(Module, saves=False):
    """Base of `TransformerEncoderLayer` and `TransformerDecoderLayer`, which say what the arguments are.

    Attributes
    ----------
    has_memory : bool
        Whether there is a second attention, `multihead_attn`, with a norm and a dropout of its own.
    """

    has_memory: ClassVar[bool]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Module = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        made = self._activation(activation)
        attention = partial(MultiheadAttention, d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        norm = partial(LayerNorm, d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.self_attn = attention()
        if self.has_memory:
            self.multihead_attn = attention()
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        self.norm_first = norm_first
        self.norm1, self.norm2 = norm(), norm()
        if self.has_memory:
            self.norm3 = norm()
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        if self.has_memory:
            self.dropout3 = Dropout(dropout)
        self.activation = made

    def _activation(self, activation: Any) -> Module:
        if isinstance(activation, Module):
            return activation
        if not isinstance(activation, str):
            raise TypeError(f"{name_of(self)}: expected activation to be a str or a Module, got {activation!r}")
        if activation not in ACTIVATIONS:
            raise RuntimeError(f"{name_of(self)}: expected activation 'relu', 'gelu' or a Module, got {activation!r}")
        return ACTIVATIONS[activation]()

    def check_sequence(self, x: Any, name: str = "input") -> None:
        """Raise unless ``x`` is a sequence, or a batch of them, of the layer's size and dtype."""
        check_dtype(self, x, self.self_attn.in_proj_weight.data.dtype, name)
        size = self.self_attn.embed_dim
        if x.ndim not in (2, 3) or x.shape[-1] != size:
            raise RuntimeError(
                f"{name_of(self)}: expected {name} with 2 or 3 axes, the last {size} long, got {x.shape}"
            )

    # The blocks. Each is given an array that only this layer holds, or that it does not write to.

    def _sa_block(
        self, x: np.ndarray, attn_mask: np.ndarray | None, key_padding_mask: np.ndarray | None, is_causal: bool
    ) -> np.ndarray:
        looked, _ = self.self_attn(x, x, x, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout1(private(looked))

    def _sa_block_backward(self, grad: np.ndarray) -> np.ndarray:
        grad_query, grad_key, grad_value = self.self_attn.backward(self.dropout1.backward(grad))
        return grad_query + grad_key + grad_value

    def _ff_layers(self) -> tuple[Module, ...]:
        last = self.dropout3 if self.has_memory else self.dropout2
        return self.linear1, self.activation, self.dropout, self.linear2, last

    def _ff_block(self, x: np.ndarray) -> np.ndarray:
        for layer in self._ff_layers():
            x = layer(private(x))
        return x

    def _ff_block_backward(self, grad: np.ndarray) -> np.ndarray:
        for layer in reversed(self._ff_layers()):
            grad = layer.backward(grad)
        return grad

    def _call_off(self) -> None:
        for layer in self.children():
            layer._call_off()


class TransformerStack(Module, saves=False):
    """Base of `TransformerEncoder` and `TransformerDecoder`: copies of one layer, and perhaps a norm."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        if not isinstance(layer, Module) or not (norm is None or isinstance(norm, Module)):
            raise TypeError(
                f"{name_of(self)}: expected a Module to copy, and a Module or None as norm, got "
                f"{type(layer).__name__} and {type(norm).__name__}"
            )
        if not is_integer(num_layers) or num_layers < 1:
            raise ValueError(f"{name_of(self)}: expected num_layers of 1 or more, got {num_layers!r}")
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def _call_off(self) -> None:
        for layer in [*self.layers, *([] if self.norm is None else [self.norm])]:
            layer._call_off()
