"""Attention's cases."""

import warnings

import numpy as np
import torch

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays, flat
from scratch import nn


def mask(d: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask: booleans, or numbers to add to the scores. It hides no query's first key."""
    hides = d.rng.random(shape) < 0.4
    hides[..., 0] = False
    return hides if d.one_of(True, False) else np.where(hides, -np.inf, d.rng.normal(size=shape)).astype(d.dtype)


@entry("MultiheadAttention", "layer")
def multihead_attention(d: Draw) -> LayerCase:
    """Masks of both kinds and shapes; with and without weights, of each head and averaged; dropout; one sequence."""
    heads, length, keys = d.integers(1, 3, 3)
    size = heads * d.integer(1, 3)
    options = d.some_of(dropout=(0.0, 0.4), bias=(True, False), batch_first=(True, False))
    layer = arrays.random_state(flat.MultiheadAttention(size, heads, **options, dtype=d.dtype), d.seed)
    reference = flat.TorchMultiheadAttention(size, heads, **options)
    for parameter in layer.parameters():
        parameter.data *= 0.5
    batch = () if d.fixed_batch is None and d.rng.random() < 0.2 else (d.batch(0, 1, 3),)
    first = options.get("batch_first", False)
    q, s = ((*batch, n, size) if first else (n, *batch, size) for n in (length, keys))
    call = d.some_of(need_weights=(True, False), average_attn_weights=(True, False))
    padding = mask(d, (*batch, keys))
    # PyTorch cannot reshape the masks of an empty batch if the weights are not needed.
    masks = batch != (0,) or call.get("need_weights", True)
    if masks and d.one_of(True, False):
        call["key_padding_mask"] = padding
    if masks and d.one_of(True, False):
        attn_mask = mask(d, (length, keys) if d.one_of(True, False) else (heads * int(np.prod(batch)), length, keys))
        # PyTorch will one day refuse masks of two kinds.
        if "key_padding_mask" not in call or attn_mask.dtype == padding.dtype:
            call["attn_mask"] = attn_mask
    layer.call = reference.call = call
    return LayerCase(layer.train(d.one_of(True, False)), reference, (d.array(q), d.array(s), d.array(s)))


def transformer_layers(d: Draw, name: str, **more: int) -> tuple[nn.Module, torch.nn.Module, int]:
    """Return a transformer, or a layer of one, of each engine, with options crossed, and its size."""
    heads = d.integer(1, 3)
    # A norm of two numbers always gives -1 and 1: what is left of its gradients is rounding.
    size = heads * d.integer(3 if heads == 1 else 2, 4)
    # Of a single hidden unit's bias, PyTorch's own float32 error, on which the budget rests, may be tiny by luck.
    options = d.some_of(
        dim_feedforward=(3, 5),
        dropout=(0.0, 0.4),
        layer_norm_eps=(1e-5, 1e-3, 0.5),
        batch_first=(True, False),
        norm_first=(True, False),
        bias=(True, False),
    )
    options = {"dim_feedforward": 7, **options}
    activation = d.one_of({}, {"activation": "gelu"}, {"activation": "relu"}, "SiLU")
    layers = []
    # PyTorch's decoder loses a module when it is copied, but not a function.
    for engine, silu, own in ((nn, nn.SiLU(), {"dtype": d.dtype}), (torch.nn, torch.nn.functional.silu, {})):
        chosen = {"activation": silu} if activation == "SiLU" else activation
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "enable_nested_tensor is True")  # which is about speed in evaluation
            layers.append(getattr(engine, name)(size, heads, **options, **chosen, **own, **more))
    return *layers, size


def transformer_stacks(d: Draw, name: str, **theirs: bool) -> tuple[nn.Module, torch.nn.Module, nn.Module, int]:
    """Return a stack of each engine, the layer that ours copies, and its size; ``theirs`` are PyTorch's options."""
    one, its_reference, size = transformer_layers(d, f"{name}Layer")
    count, has_norm = d.integer(1, 2), d.one_of(True, False)
    layer = getattr(nn, name)(one, count, nn.LayerNorm(size, dtype=d.dtype) if has_norm else None)
    norm = torch.nn.LayerNorm(size) if has_norm else None
    return layer, getattr(torch.nn, name)(its_reference, count, norm, **theirs), one, size


def sequences(d: Draw, batch_first: bool, size: int, *lengths: int) -> list[np.ndarray]:
    """Return batches of sequences of these lengths, or one sequence each."""
    batch = () if d.fixed_batch is None and d.rng.random() < 0.2 else (d.batch(0, 1, 3),)
    return [d.array((*batch, n, size) if batch_first else (n, *batch, size)) for n in lengths]


def hides(d: Draw, *shape: int) -> np.ndarray:
    """Return a mask of booleans that hides no query's first key."""
    found = d.rng.random(shape) < 0.4
    found[..., 0] = False
    return found


def masks_of(d: Draw, x: np.ndarray, keys: np.ndarray, layer: nn.Module) -> list[np.ndarray]:
    """Return no masks, one that hides keys from queries, or this and one for padding."""
    axis = 1 if layer.self_attn.batch_first and x.ndim == 3 else 0
    batch = x.shape[1 - axis : 2 - axis] if x.ndim == 3 else ()
    length, count = x.shape[axis], keys.shape[axis]
    # PyTorch cannot reshape the masks of an empty batch.
    drawn = 0 if batch == (0,) else d.integer(0, 2)
    per_head = (layer.self_attn.num_heads * int(np.prod(batch)), length, count)
    return [hides(d, *d.one_of((length, count), per_head)), hides(d, *batch, count)][:drawn]


def in_a_mode(d: Draw, layer: nn.Module) -> nn.Module:
    """Return a layer with random numbers, small enough for scores to differ little, in training or in evaluation."""
    arrays.random_state(layer, d.seed).train(d.one_of(True, False))
    for parameter in layer.parameters():
        parameter.data *= 0.5
    return layer


@entry("TransformerEncoderLayer", "layer")
def transformer_encoder_layer(d: Draw) -> LayerCase:
    """Norms first and last, activations of all forms, masks, dropout; one sequence."""
    layer, reference, size = transformer_layers(d, "TransformerEncoderLayer")
    (x,) = sequences(d, layer.self_attn.batch_first, size, d.integer(1, 3))
    return LayerCase(in_a_mode(d, layer), reference, (x, *masks_of(d, x, x, layer)))


@entry("TransformerEncoder", "layer")
def transformer_encoder(d: Draw) -> LayerCase:
    """One or two layers, with and without a norm behind them."""
    layer, reference, one, size = transformer_stacks(d, "TransformerEncoder", enable_nested_tensor=False)
    (x,) = sequences(d, one.self_attn.batch_first, size, d.integer(1, 3))
    return LayerCase(in_a_mode(d, layer), reference, (x, *masks_of(d, x, x, one)))


@entry("TransformerDecoderLayer", "layer")
def transformer_decoder_layer(d: Draw) -> LayerCase:
    """As for the encoder's layer; the memory has another length."""
    layer, reference, size = transformer_layers(d, "TransformerDecoderLayer")
    x, memory = sequences(d, layer.self_attn.batch_first, size, d.integer(1, 3), d.integer(1, 4))
    masks = zip(masks_of(d, x, x, layer), masks_of(d, x, memory, layer), strict=False)
    return LayerCase(in_a_mode(d, layer), reference, (x, memory, *[mask for both in masks for mask in both]))


@entry("TransformerDecoder", "layer")
def transformer_decoder(d: Draw) -> LayerCase:
    """One or two layers, which read the same memory, with and without a norm behind them."""
    layer, reference, one, size = transformer_stacks(d, "TransformerDecoder")
    x, memory = sequences(d, one.self_attn.batch_first, size, d.integer(1, 3), d.integer(1, 4))
    return LayerCase(in_a_mode(d, layer), reference, (x, memory, *masks_of(d, x, x, one)[:1]))


@entry("Transformer", "layer")
def transformer(d: Draw) -> LayerCase:
    """One or two layers on either side, which hide no, one, two or all three kinds of pairs."""
    counts = {"num_encoder_layers": d.integer(1, 2), "num_decoder_layers": d.integer(1, 2)}
    layer, reference, size = transformer_layers(d, "Transformer", **counts)
    lengths = s, t = d.integer(1, 4), d.integer(1, 3)
    src, tgt = sequences(d, layer.batch_first, size, *lengths)
    # PyTorch cannot reshape the masks of an empty batch.
    masks = [hides(d, *shape) for shape in ((s, s), (t, t), (t, s))][: d.integer(0, 3) if src.size else 0]
    return LayerCase(in_a_mode(d, layer), reference, (src, tgt, *masks))
