r"""TransformerDecoderLayer: attention among targets, then to a memory, then a network; each added to its input.

    T  targets    x       (T, N, E)  input               attention  self_attn and dropout, of one array three times
    S  sources    memory  (S, N, E)  encoder's output    cross      multihead_attn and dropout, of targets and memory
    N  batch      y       (T, N, E)  output              network    linear, activation, dropout, linear, dropout
    E  d_model

With ``norm_first=False``, as in the paper, the sums are normalized:

    F1  s = x + attention(x)
    F2  h = norm1(s)
    F3  u = h + cross(h, memory)
    F4  k = norm2(u)
    F5  t = k + network(k)
    F6  y = norm3(t)

    B6  grad_t = norm3_backward(grad_y)                              F6
    B5  grad_k = grad_t + network_backward(grad_t)                   F5: k is used twice, so two gradients are added
    B4  grad_u = norm2_backward(grad_k)                              F4
    B3a grad_queries, grad_memory = cross_backward(grad_u)           F3: memory is key and value: an addition, too
    B3b grad_h = grad_u + grad_queries                               F3: h is used twice
    B2  grad_s = norm1_backward(grad_h)                              F2
    B1  grad_x = grad_s + attention_backward(grad_s)                 F1: x is used twice

With ``norm_first=True`` each part normalizes what it reads, but memory is read as it is:

    F1  h = x + attention(norm1(x))
    F2  k = h + cross(norm2(h), memory)
    F3  y = k + network(norm3(k))

    B3  grad_k = grad_y + norm3_backward(network_backward(grad_y))       F3: k is used twice: an addition
    B2a grad_queries, grad_memory = cross_backward(grad_k)               F2
    B2b grad_h = grad_k + norm2_backward(grad_queries)                   F2: h is used twice
    B1  grad_x = grad_h + norm1_backward(attention_backward(grad_h))     F1: x is used twice

`TransformerDecoder` is copies of one layer in a row. All of them read the same memory, so its gradient is the sum of
theirs; this is what goes back into the encoder.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.1. PyTorch's counterparts:
``torch.nn.TransformerDecoderLayer``, ``torch.nn.TransformerDecoder``. Differs from PyTorch: the activation is always a
module, and is among the layer's children. A copy of a layer, as in a stack, keeps an activation that is a module, where
PyTorch 2.14 puts ReLU in its place. Left out: ``device``.
"""

import numpy as np

from scratch.nn.module import Module
from scratch.nn.ownership import private
from scratch.nn.transformer_layer import TransformerLayer, TransformerStack


class TransformerDecoderLayer(TransformerLayer):
    """Self-attention, attention to a memory, and a network, each with a skip connection and a norm.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype
        As in `TransformerEncoderLayer`; both attentions have ``nhead`` heads.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        As in `TransformerEncoderLayer`.

    Examples
    --------
    If no part adds anything, what is left are the skip connections. No gradient reaches the memory then:

    >>> layer = TransformerDecoderLayer(2, 1, norm_first=True, dtype=np.float64).eval()
    >>> for last in (layer.self_attn.out_proj, layer.multihead_attn.out_proj, layer.linear2):
    ...     last.weight.data[...], last.bias.data[...] = 0.0, 0.0
    >>> layer(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    array([[1., 2.]])
    >>> grad_tgt, grad_memory = layer.backward(np.array([[5.0, 7.0]]))
    >>> grad_tgt, grad_memory
    (array([[5., 7.]]), array([[0., 0.],
           [0., 0.]]))
    """

    has_memory = True

    def forward(
        self,
        tgt: np.ndarray,
        memory: np.ndarray,
        tgt_mask: np.ndarray | None = None,
        memory_mask: np.ndarray | None = None,
        tgt_key_padding_mask: np.ndarray | None = None,
        memory_key_padding_mask: np.ndarray | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> np.ndarray:
        """Let each target look at the targets, then at the memory, then apply the network to it.

        Parameters
        ----------
        tgt, memory : numpy.ndarray, shapes (T, N, E) and (S, N, E)
            (N, T, E) and (N, S, E) if ``batch_first``; without N for one sequence.
        tgt_mask, memory_mask : numpy.ndarray, shapes (T, T) and (T, S), or (N nhead, ...), optional
            True where a target may not see a target, or a source; or floats, which are added to the scores.
        tgt_key_padding_mask, memory_key_padding_mask : numpy.ndarray, shapes (N, T) and (N, S), optional
            True where a target or a source is padding; or floats, which are added to the scores.
        tgt_is_causal, memory_is_causal : bool
            Hints that the masks, which must be given, let no target see later ones.
        """
        self.check_sequence(tgt)
        self.check_sequence(memory, "memory")
        x, masks = tgt, (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        of_memory = memory, memory_mask, memory_key_padding_mask, memory_is_causal
        if self.norm_first:
            h = x + self._sa_block(private(self.norm1(x)), *masks)  # F1
            k = h + self._mha_block(private(self.norm2(h)), *of_memory)  # F2
            return k + self._ff_block(self.norm3(k))  # F3
        s = x + self._sa_block(x, *masks)  # F1
        h = private(self.norm1(s))  # F2
        u = h + self._mha_block(h, *of_memory)  # F3
        k = self.norm2(u)  # F4
        t = k + self._ff_block(k)  # F5
        return self.norm3(t)  # F6

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo ``forward``; return the gradients of the targets and of the memory."""
        grad_y = grad_output
        if self.norm_first:
            grad_k = grad_y + self.norm3.backward(self._ff_block_backward(grad_y))  # B3
            grad_queries, grad_memory = self._mha_block_backward(grad_k)  # B2a
            grad_h = grad_k + self.norm2.backward(grad_queries)  # B2b
            return grad_h + self.norm1.backward(self._sa_block_backward(grad_h)), grad_memory  # B1
        grad_t = self.norm3.backward(grad_y)  # B6
        grad_k = grad_t + self._ff_block_backward(grad_t)  # B5
        grad_u = self.norm2.backward(grad_k)  # B4
        grad_queries, grad_memory = self._mha_block_backward(grad_u)  # B3a
        grad_h = grad_u + grad_queries  # B3b
        grad_s = self.norm1.backward(grad_h)  # B2
        return grad_s + self._sa_block_backward(grad_s), grad_memory  # B1

    def _mha_block(
        self,
        x: np.ndarray,
        memory: np.ndarray,
        attn_mask: np.ndarray | None,
        key_padding_mask: np.ndarray | None,
        is_causal: bool,
    ) -> np.ndarray:
        looked, _ = self.multihead_attn(x, memory, memory, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout2(private(looked))

    def _mha_block_backward(self, grad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        grad_query, grad_key, grad_value = self.multihead_attn.backward(self.dropout2.backward(grad))
        return grad_query, grad_key + grad_value


class TransformerDecoder(TransformerStack):
    """Decoder layers in a row, which all read one memory, and perhaps a norm behind them.

    Parameters
    ----------
    decoder_layer : Module
        The layer that is copied, with its weights.
    num_layers : int
        How many copies there are.
    norm : Module, optional
        Applied to the last one's output.

    Attributes
    ----------
    layers : ModuleList
    norm : Module or None

    Raises
    ------
    TypeError
        If ``decoder_layer`` or ``norm`` is no Module.
    ValueError
        If ``num_layers`` is not an integer of 1 or more.

    Examples
    --------
    >>> decoder = TransformerDecoder(TransformerDecoderLayer(4, 2, 8), num_layers=3)
    >>> y = decoder(np.ones((5, 1, 4), np.float32), np.ones((7, 1, 4), np.float32))
    >>> grad_tgt, grad_memory = decoder.backward(np.ones_like(y))
    >>> y.shape, grad_tgt.shape, grad_memory.shape
    ((5, 1, 4), (5, 1, 4), (7, 1, 4))
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: np.ndarray,
        memory: np.ndarray,
        tgt_mask: np.ndarray | None = None,
        memory_mask: np.ndarray | None = None,
        tgt_key_padding_mask: np.ndarray | None = None,
        memory_key_padding_mask: np.ndarray | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> np.ndarray:
        """Apply the layers in order, with the same masks. The arguments are those of the layer's ``forward``."""
        x, masks = tgt, (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for layer in self.layers:
            x = layer(x, memory, *masks, bool(tgt_is_causal), memory_is_causal)
        return x if self.norm is None else self.norm(x)

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo the layers from the last to the first; the gradient of the memory is the sum of what they return."""
        grad = grad_output if self.norm is None else self.norm.backward(grad_output)
        grads_of_memory = []
        for layer in reversed(self.layers):
            grad, grad_memory = layer.backward(grad)
            grads_of_memory.append(grad_memory)
        return grad, sum(grads_of_memory)
