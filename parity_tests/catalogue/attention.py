"""Attention's cases."""

import numpy as np

from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness import arrays, flat


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
