"""Attention's kernels in blocks of examples and heads, with special values, against PyTorch and their twins."""

import itertools

import numpy as np
import pytest

from parity_tests.harness import flat
from parity_tests.harness.arrays import array, random_state
from parity_tests.harness.compare import check
from parity_tests.harness.modes import kernels_only
from scratch.dispatch import output_mask
from scratch.kernels import attention as fast
from scratch.kernels import multihead_attention as fast_heads
from scratch.kernels import products
from scratch.nn import attention as plain
from scratch.nn import multihead_attention as plain_heads

pytestmark = kernels_only

# The axes before the last two.
LEADING = {"matrices": (), "batch": (5,), "heads": (5, 3)}
LENGTH, KEYS, SIZE, VALUES = 7, 6, 4, 3
# Bytes of scores in a block: each head by itself, two heads of float64, two examples, everything.
BLOCKS = [1, 2 * LENGTH * KEYS * 8, 6 * LENGTH * KEYS * 8, 1 << 20]


def drawn(shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def mask_of(kind, leading):
    """Return a mask to add to the scores; -inf hides keys, and in "hidden" all keys of one query."""
    rng = np.random.default_rng(9)
    if kind == "none":
        return 0.0
    shape = {"queries": (LENGTH, KEYS), "padding": (*leading[:1], *[1] * len(leading[1:]), 1, KEYS)}.get(
        kind, (*leading, LENGTH, KEYS)
    )
    mask = np.where(rng.random(shape) < 0.3, -np.inf, rng.normal(size=shape))
    mask[..., 0] = 0.5
    if kind == "hidden":
        mask[..., 2, :] = -np.inf
    return mask


def agree(inputs, upstream, attn_mask, factor, scale, unseen):
    found = []
    for module in (fast, plain):
        with np.errstate(all="ignore"):
            y, saved, weights = module.scaled_dot_product_attention(*inputs, attn_mask, factor, scale, unseen)
            grads = module.scaled_dot_product_attention_backward(*upstream, factor, scale, saved)
        found.append((y, weights, *grads))
    for one, other in zip(*found, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        size = max(np.abs(other[np.isfinite(other)]).max(initial=0), 1)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13 * size)


def arrays_of(leading):
    shapes = (LENGTH, SIZE), (KEYS, SIZE), (KEYS, VALUES), (LENGTH, VALUES), (LENGTH, KEYS)
    query, key, value, *upstream = (drawn((*leading, *shape), seed=place) for place, shape in enumerate(shapes))
    return [query, key, value], upstream


@pytest.mark.parametrize("leading", LEADING)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("mask", ["none", "queries", "padding", "each", "hidden"])
@pytest.mark.parametrize("drops", [True, False])
def test_blocks_of_any_size(monkeypatch, leading, block, mask, drops):
    monkeypatch.setattr(fast, "BLOCK_BYTES", block)
    leading = LEADING[leading]
    inputs, upstream = arrays_of(leading)
    factor = 1.0
    if drops:
        factor = 2.0 * (np.random.default_rng(1).random((*leading, LENGTH, KEYS)) < 0.5)
    for scale, unseen in itertools.product([0.5, 40.0], [0.0, np.nan, 0.25]):
        agree(inputs, upstream, mask_of(mask, leading), factor, scale, unseen)


@pytest.mark.parametrize("added", [-1000.0, -40.0, 40.0, 1000.0])
@pytest.mark.parametrize("whole", [True, False])
def test_scores_whose_exponentials_overflow_or_vanish(added, whole):
    """Those of all queries, or of one among others with moderate scores."""
    inputs, upstream = arrays_of((5, 3))
    mask = np.full((LENGTH, KEYS), added if whole else 0.0)
    mask[3] = added
    agree(inputs, upstream, mask, 1.0, 0.5, 0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_score_of_the_only_key_has_no_gradient(dtype):
    query, key, value, grad_y = (drawn((64, length, 3), dtype, seed=length) for length in (LENGTH, 1, 1, LENGTH))
    _, saved, weights = fast.scaled_dot_product_attention(query, key, value, 0.0, 1.0, 0.5, 0.0)
    assert np.all(weights == 1)
    grad_query, grad_key, _ = fast.scaled_dot_product_attention_backward(grad_y, 0.0, 1.0, 0.5, saved)
    assert not grad_query.any()
    assert not grad_key.any()


@pytest.mark.parametrize("grad_weights", ["number", "zeros", "one zero", "random", "one number"])
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_gradients_of_the_weights_in_every_form(grad_weights, factor):
    inputs, (grad_y, given) = arrays_of((5, 3))
    forms = {
        "number": 0.0,
        "zeros": np.zeros_like(given),
        "one zero": np.broadcast_to(0.0, given.shape),
        "random": given,
        "one number": np.broadcast_to(0.7, given.shape),
    }
    agree(inputs, (grad_y, forms[grad_weights]), 0.0, factor, 0.5, 0.0)


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, -0.0, 1e200, 1e15])
@pytest.mark.parametrize("mask", ["none", "hidden"])
def test_special_values_are_those_of_the_plain_functions(place, number, mask):
    inputs, upstream = arrays_of((5, 3))
    ([*inputs, *upstream][place])[3, 1, 2, 1] = number
    for unseen in (0.0, np.nan):
        agree(inputs, upstream, mask_of(mask, (5, 3)), 1.0, 0.5, unseen)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("block", [1, 500])
@pytest.mark.parametrize("mask", [None, "boolean", "added", "each head"])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"bias": False, "batch_first": True}])
def test_several_blocks_are_torchs(monkeypatch, dtype, block, mask, options):
    monkeypatch.setattr(fast, "BLOCK_BYTES", block)
    monkeypatch.setattr(fast_heads, "BLOCK_BYTES", block)
    monkeypatch.setattr(fast_heads, "COLUMNS", 4)
    monkeypatch.setattr(products, "SMALL_PRODUCT", 0)
    heads, size, batch, rng = 3, 9, 5, np.random.default_rng(3)
    ours = random_state(flat.MultiheadAttention(size, heads, **options, dtype=dtype), 1)
    for parameter in ours.parameters():
        parameter.data *= 0.5
    theirs = flat.TorchMultiheadAttention(size, heads, **options)
    call = {}
    if mask:
        hides = rng.random((batch * heads if mask == "each head" else 1, LENGTH, KEYS)) < 0.4
        hides[..., 0] = False
        hides = hides if mask == "each head" else hides[0]
        call["attn_mask"] = hides if mask == "boolean" else np.where(hides, -np.inf, 0.3).astype(dtype)
    first = options.get("batch_first", False)
    q, s = ((batch, n, size) if first else (n, batch, size) for n in (LENGTH, KEYS))
    for need_weights in (True, False):
        ours.call = theirs.call = {**call, "need_weights": need_weights}
        check(
            ours, theirs, array(q, dtype, seed=2), array(s, dtype, seed=3), array(s, dtype, seed=4)
        ).raise_if_different()


@pytest.mark.parametrize("is_read", list(itertools.product([True, False], repeat=5)))
def test_what_nobody_reads_is_left_out(is_read):
    """The other gradients stay the same, bit for bit."""
    query, key, value = drawn((2, LENGTH, 6)), drawn((2, KEYS, 6), seed=1), drawn((2, KEYS, 6), seed=2)
    weight, bias, grad_y = drawn((18, 6), seed=3), drawn(18, seed=4), drawn((2, LENGTH, 6), seed=5)
    _, saved, weights = fast_heads.multi_head_attention(query, key, value, weight, bias, 0.0, 1.0, 0.5, 0.0, 2)
    arguments = grad_y, drawn(weights.shape, seed=6), 1.0, 0.5, 2, saved
    everything = fast_heads.multi_head_attention_backward(*arguments)
    token = output_mask.set(is_read)
    try:
        found = fast_heads.multi_head_attention_backward(*arguments)
    finally:
        output_mask.reset(token)
    for one, other, read in zip(found, everything, is_read, strict=True):
        assert np.array_equal(one, other) if read else one is None


def test_writes_to_nothing_that_it_is_given():
    x, weight, bias, grad_y = drawn((5, LENGTH, 6)), drawn((18, 6), seed=1), drawn(18, seed=2), drawn((5, LENGTH, 6))
    mask = drawn((LENGTH, LENGTH), seed=3)
    factor, grad_weights = drawn((5, 2, LENGTH, LENGTH), seed=4), drawn((5, 2, LENGTH, LENGTH), seed=5)
    for given in (x, weight, bias, grad_y, mask, factor, grad_weights):
        given.setflags(write=False)
    found = []
    for module in (fast_heads, plain_heads):
        y, saved, weights = module.multi_head_attention(x, x, x, weight, bias, mask, factor, 0.5, 0.0, 2)
        found.append((y, weights, *module.multi_head_attention_backward(grad_y, grad_weights, factor, 0.5, 2, saved)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
