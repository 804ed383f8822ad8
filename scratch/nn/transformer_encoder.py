r"""TransformerEncoderLayer: attention between positions, then a small network on each, both added to their inputs.

    L  positions    x  (L, N, E)  input              attention     self_attn and dropout, of one array three times
    N  batch        y  (L, N, E)  output             network       linear, activation, dropout, linear, dropout
    E  d_model      h  (L, N, E)  after attention    norm1, norm2  LayerNorm

With ``norm_first=False``, as in the paper, the sums are normalized:

    F1  s = x + attention(x)
    F2  h = norm1(s)
    F3  t = h + network(h)
    F4  y = norm2(t)

    B4  grad_t = norm2_backward(grad_y)                              F4
    B3  grad_h = grad_t + network_backward(grad_t)                   F3: h is used twice, so two gradients are added
    B2  grad_s = norm1_backward(grad_h)                              F2
    B1  grad_x = grad_s + attention_backward(grad_s)                 F1: x is used twice, too

A sum passes its gradient to both of its terms: that is all that a skip connection does in backward.

With ``norm_first=True`` each part normalizes what it reads:

    F1  h = x + attention(norm1(x))
    F2  y = h + network(norm2(h))

    B2  grad_h = grad_y + norm2_backward(network_backward(grad_y))       F2: h is used twice: an addition
    B1  grad_x = grad_h + norm1_backward(attention_backward(grad_h))     F1: likewise

Here the first term of B2 is grad_y itself, and that of B1 is B2: through any number of such layers the gradient also
reaches the first one unchanged, and deep stacks train without a warm-up of the learning rate (Xiong et al.). In the
first form it goes through two norms in each layer.

`TransformerEncoder` is copies of one layer in a row; backward goes through them from the last to the first. As in
PyTorch the copies begin with equal weights.

Sources: Vaswani et al., "Attention Is All You Need", 2017, section 3.1; Xiong et al., "On Layer Normalization in the
Transformer Architecture", 2020. PyTorch's counterparts: ``torch.nn.TransformerEncoderLayer``,
``torch.nn.TransformerEncoder``. Differs from PyTorch: the activation is always a module, and is among the layer's
children. For evaluation without gradients PyTorch has another code path, which sets outputs at padding to 0 in a stack;
here they are what they are in training. Left out: ``device``.
"""

import numpy as np

from scratch.nn.module import Module
from scratch.nn.ownership import private
from scratch.nn.transformer_layer import TransformerLayer, TransformerStack


class TransformerEncoderLayer(TransformerLayer):
    """Self-attention and a network on each position, each with a skip connection and a norm.

    Parameters
    ----------
    d_model : int
        Size of the last axis of input and output.
    nhead : int
        How many heads attention has.
    dim_feedforward : int
        Size of the hidden layer of the network.
    dropout : float
        Probability with which dropout zeroes an attention weight, a hidden number, and a number that is added to x.
    activation : {"relu", "gelu"} or Module
        The hidden layer's activation.
    layer_norm_eps : float
        What the norms add to the variance.
    batch_first : bool
        Whether the arrays are (N, L, E) instead of (L, N, E).
    norm_first : bool
        Whether each part normalizes its input, instead of the sum.
    bias : bool
        Whether all biases are learned and added.
    dtype : numpy dtype
        float32 or float64, of the parameters, the input and the output.

    Raises
    ------
    ValueError
        If ``d_model`` is not a multiple of ``nhead``, or ``dropout`` is not within [0, 1].
    TypeError
        If ``activation`` is neither a str nor a Module.
    RuntimeError
        If it is another name, or a shape or dtype does not fit.

    Examples
    --------
    If both parts add nothing, what is left are the skip connections, and the norms if they come last:

    >>> layer = TransformerEncoderLayer(2, 1, norm_first=True, dtype=np.float64).eval()
    >>> for last in (layer.self_attn.out_proj, layer.linear2):
    ...     last.weight.data[...], last.bias.data[...] = 0.0, 0.0
    >>> layer(np.array([[1.0, 2.0], [3.0, 7.0]]))
    array([[1., 2.],
           [3., 7.]])
    >>> layer.backward(np.array([[5.0, 6.0], [7.0, 8.0]]))
    array([[5., 6.],
           [7., 8.]])
    """

    has_memory = False

    def forward(
        self,
        src: np.ndarray,
        src_mask: np.ndarray | None = None,
        src_key_padding_mask: np.ndarray | None = None,
        is_causal: bool = False,
    ) -> np.ndarray:
        """Let each position look at the others, then apply the network to each.

        Parameters
        ----------
        src : numpy.ndarray, shape (L, N, E)
            (N, L, E) if ``batch_first``; (L, E) for one sequence.
        src_mask : numpy.ndarray, shape (L, L) or (N nhead, L, L), optional
            True where a position may not see another; or floats, which are added to the scores.
        src_key_padding_mask : numpy.ndarray, shape (N, L), optional
            True where a position is padding, which none may see; or floats, which are added to the scores.
        is_causal : bool
            A hint that ``src_mask``, which must be given, lets no position see later ones.
        """
        self.check_sequence(src)
        x, masks = src, (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            h = x + self._sa_block(private(self.norm1(x)), *masks)  # F1
            return h + self._ff_block(self.norm2(h))  # F2
        s = x + self._sa_block(x, *masks)  # F1
        h = self.norm1(s)  # F2
        t = h + self._ff_block(h)  # F3
        return self.norm2(t)  # F4

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo ``forward``: where a part was added to its input, two gradients are added."""
        grad_y = grad_output
        if self.norm_first:
            grad_h = grad_y + self.norm2.backward(self._ff_block_backward(grad_y))  # B2
            return grad_h + self.norm1.backward(self._sa_block_backward(grad_h))  # B1
        grad_t = self.norm2.backward(grad_y)  # B4
        grad_h = grad_t + self._ff_block_backward(grad_t)  # B3
        grad_s = self.norm1.backward(grad_h)  # B2
        return grad_s + self._sa_block_backward(grad_s)  # B1


class TransformerEncoder(TransformerStack):
    """Encoder layers in a row, and perhaps a norm behind them.

    Parameters
    ----------
    encoder_layer : Module
        The layer that is copied, with its weights.
    num_layers : int
        How many copies there are.
    norm : Module, optional
        Applied to the last one's output: a LayerNorm, if the layers have ``norm_first``.
    enable_nested_tensor, mask_check : bool
        Have no effect: in PyTorch they are about speed in evaluation.

    Attributes
    ----------
    layers : ModuleList
    norm : Module or None

    Raises
    ------
    TypeError
        If ``encoder_layer`` or ``norm`` is no Module.
    ValueError
        If ``num_layers`` is not an integer of 1 or more.

    Examples
    --------
    >>> encoder = TransformerEncoder(TransformerEncoderLayer(4, 2, 8), num_layers=3)
    >>> [name for name, _ in encoder.named_parameters()][:2]
    ['layers.0.self_attn.in_proj_weight', 'layers.0.self_attn.in_proj_bias']
    >>> encoder(np.ones((5, 1, 4), np.float32)).shape
    (5, 1, 4)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: np.ndarray,
        mask: np.ndarray | None = None,
        src_key_padding_mask: np.ndarray | None = None,
        is_causal: bool | None = None,
    ) -> np.ndarray:
        """Apply the layers in order; all have the same masks. The arguments are those of the layer's ``forward``."""
        x, masks = src, (mask, src_key_padding_mask, bool(is_causal))
        for layer in self.layers:
            x = layer(x, *masks)
        return x if self.norm is None else self.norm(x)

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Undo the norm, then the layers from the last to the first."""
        grad = grad_output if self.norm is None else self.norm.backward(grad_output)
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
