r"""Transformer: an encoder reads the sources, and a decoder the targets and what the encoder made of the sources.

    S  sources    src  (S, N, E)  encoder's input    memory  (S, N, E)  encoder's output
    T  targets    tgt  (T, N, E)  decoder's input    y       (T, N, E)  output
    N  batch
    E  d_model

    F1  memory = encoder(src)
    F2  y = decoder(tgt, memory)

    B2  grad_tgt, grad_memory = decoder_backward(grad_y)    F2
    B1  grad_src = encoder_backward(grad_memory)            F1: the sources reach y only through the memory

The sources' gradient comes from the decoder, then, by way of each of its layers' attention to the memory. A decoder
that ignores the memory, as an untrained one nearly does, teaches the encoder nothing.

In training all targets are known, and one forward predicts the next one at every position. So that no position sees
what it should predict, ``tgt_mask`` is `Transformer.generate_square_subsequent_mask`: row t of it hides the targets
behind t. The embedding of tokens, the positions, and the last linear layer are left to the model around it.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.1, without the norms behind both stacks, which
PyTorch has also where ``norm_first`` is False. PyTorch's counterpart: ``torch.nn.Transformer``. Differs from it as
`scratch.nn.transformer_encoder` and `scratch.nn.transformer_decoder` do. Left out: ``device``.
"""

from functools import partial

import numpy as np

from scratch.checks import DType, check_float_dtype, check_is_array, check_size, name_of
from scratch.nn import init
from scratch.nn.layernorm import LayerNorm
from scratch.nn.module import Module
from scratch.nn.transformer_decoder import TransformerDecoder, TransformerDecoderLayer
from scratch.nn.transformer_encoder import TransformerEncoder, TransformerEncoderLayer


class Transformer(Module, saves=False):
    """An encoder and a decoder, each with a norm behind it.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype
        As in `TransformerEncoderLayer`.
    num_encoder_layers, num_decoder_layers : int
        How many layers there are in each.
    custom_encoder, custom_decoder : Module, optional
        Takes the place of an encoder or decoder of these options, and is called with the same arguments.

    Attributes
    ----------
    encoder, decoder : Module

    Raises
    ------
    ValueError, TypeError, RuntimeError
        As in `TransformerEncoderLayer` and `TransformerEncoder`.

    Examples
    --------
    >>> model = Transformer(4, 2, 1, 1, 8)
    >>> mask = model.generate_square_subsequent_mask(3)
    >>> mask
    array([[  0., -inf, -inf],
           [  0.,   0., -inf],
           [  0.,   0.,   0.]], dtype=float32)
    >>> y = model(np.ones((5, 1, 4), np.float32), np.ones((3, 1, 4), np.float32), tgt_mask=mask)
    >>> grad_src, grad_tgt = model.backward(np.ones_like(y))
    >>> y.shape, grad_src.shape, grad_tgt.shape
    ((3, 1, 4), (5, 1, 4), (3, 1, 4))
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Module = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: DType = np.float32,
    ) -> None:
        super().__init__()
        of_layers = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        norm = partial(LayerNorm, d_model, layer_norm_eps, bias=bias, dtype=dtype)
        if custom_encoder is None:
            of_encoder = TransformerEncoderLayer(*of_layers, dtype)
            custom_encoder = TransformerEncoder(of_encoder, num_encoder_layers, norm())
        if custom_decoder is None:
            of_decoder = TransformerDecoderLayer(*of_layers, dtype)
            custom_decoder = TransformerDecoder(of_decoder, num_decoder_layers, norm())
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.reset_parameters()
        self._dtype = check_float_dtype(self, dtype)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def reset_parameters(self) -> None:
        """Draw every weight matrix from Xavier's uniform distribution, so that the layers of a stack differ."""
        for parameter in self.parameters():
            if parameter.data.ndim > 1:
                init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: DType = np.float32) -> np.ndarray:
        """Return the (sz, sz) mask under which a position sees itself and those before: 0 there, and -inf elsewhere."""
        check_size("Transformer", "sz", sz)
        return np.triu(np.full((sz, sz), -np.inf, check_float_dtype("Transformer", dtype)), 1)

    def check(self, src: np.ndarray, tgt: np.ndarray) -> None:
        """Raise unless both are sequences, or batches of as many, of the right size."""
        for name, x in (("src", src), ("tgt", tgt)):
            check_is_array(self, x, name, self._dtype)
            if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
                raise RuntimeError(
                    f"{name_of(self)}: expected {name} with 2 or 3 axes, the last {self.d_model} long, got {x.shape}"
                )
        axis = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[axis] != tgt.shape[axis]):
            raise RuntimeError(f"{name_of(self)}: expected src and tgt of one batch, got {src.shape} and {tgt.shape}")

    def forward(
        self,
        src: np.ndarray,
        tgt: np.ndarray,
        src_mask: np.ndarray | None = None,
        tgt_mask: np.ndarray | None = None,
        memory_mask: np.ndarray | None = None,
        src_key_padding_mask: np.ndarray | None = None,
        tgt_key_padding_mask: np.ndarray | None = None,
        memory_key_padding_mask: np.ndarray | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> np.ndarray:
        """Encode the sources, then decode the targets.

        Parameters
        ----------
        src, tgt : numpy.ndarray, shapes (S, N, E) and (T, N, E)
            (N, S, E) and (N, T, E) if ``batch_first``; without N for one sequence.
        src_mask, tgt_mask, memory_mask : numpy.ndarray, shapes (S, S), (T, T) and (T, S), or (N nhead, ...), optional
            True where a position may not see another; or floats, which are added to the scores.
        src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask : numpy.ndarray, optional
            Of shapes (N, S), (N, T) and (N, S). True where a position is padding, which none may see; or floats.
            The memory's padding is that of the sources, and has to be given again.
        src_is_causal, tgt_is_causal, memory_is_causal : bool
            Hints that the masks, which must be given, let no position see later ones.
        """
        self.check(src, tgt)
        memory = self.encoder(  # F1
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        try:
            return self.decoder(  # F2
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )
        except BaseException:
            self.encoder._call_off()
            raise

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo the decoder, then the encoder; return the gradients of the sources and of the targets."""
        grad_tgt, grad_memory = self.decoder.backward(grad_output)  # B2
        return self.encoder.backward(grad_memory), grad_tgt  # B1

    def _call_off(self) -> None:
        self.decoder._call_off()
        self.encoder._call_off()
