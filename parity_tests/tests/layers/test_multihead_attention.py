"""Attention: masks, scale and hidden keys against PyTorch, the tape, which outputs are read, refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

import scratch
from parity_tests.harness import flat
from parity_tests.harness.arrays import array, random_state
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import seeds
from scratch import nn
from scratch.nn.attention import scaled_dot_product_attention, scaled_dot_product_attention_backward
from scratch.nn.attention_mask import additive_mask
from scratch.tape import Tape

SHAPES = {"query": (3, 2, 4, 6), "key": (3, 2, 5, 6), "value": (3, 2, 5, 7)}


def arrays():
    return [array(shape, seed=place) for place, shape in enumerate(SHAPES.values())]


def masks():
    rng = np.random.default_rng(0)
    hides_all = rng.random((4, 5)) < 0.6
    hides_all[2] = False
    added = np.where(rng.random((3, 1, 4, 5)) < 0.3, -np.inf, rng.normal(size=(3, 1, 4, 5)))
    added[1, :, 1] = -np.inf
    return {"none": (None, False), "causal": (None, True), "boolean": (hides_all, False), "added": (added, False)}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("scale", [None, 0.7])
def test_scaled_dot_product_attention_is_torchs(mask, scale):
    """Some queries may see no key: their outputs and gradients are 0."""
    attn_mask, is_causal = masks()[mask]
    inputs = arrays()
    tensors = [torch.tensor(one, requires_grad=True) for one in inputs]
    in_torch = None if attn_mask is None else torch.tensor(attn_mask)
    expected = functional.scaled_dot_product_attention(*tensors, in_torch, is_causal=is_causal, scale=scale)
    grad_y = array(tuple(expected.shape), seed=4)
    expected.backward(torch.tensor(grad_y))

    used = 6**-0.5 if scale is None else scale
    added = additive_mask(attn_mask, is_causal, 4, 5, np.dtype(np.float64))
    y, saved, weights = scaled_dot_product_attention(*inputs, added, 1.0, used, 0.0)
    grads = scaled_dot_product_attention_backward(grad_y, np.zeros_like(weights), 1.0, used, saved)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    for grad, tensor in zip(grads, tensors, strict=True):
        np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_two_masks_at_once_are_refused_as_by_torch():
    mask, inputs = np.ones((4, 5), bool), arrays()
    with pytest.raises(RuntimeError, match="expected attn_mask or is_causal, got both"):
        additive_mask(mask, True, 4, 5, np.dtype(np.float64))
    with pytest.raises(RuntimeError, match="is_causal"):
        functional.scaled_dot_product_attention(*map(torch.tensor, inputs), torch.tensor(mask), is_causal=True)


@pytest.mark.parametrize("mask", ["none", "causal", "added"])
def test_the_tape_finds_its_gradients(mask):
    """It includes dropout, and gradients of both outputs."""
    inputs = arrays()
    attn_mask, is_causal = masks()[mask]
    added = additive_mask(attn_mask, is_causal, 4, 5, np.dtype(np.float64))
    if mask == "added":
        added = np.where(np.isinf(added), -3.0, added)
    factor = 2.0 * (np.random.default_rng(1).random((3, 2, 4, 5)) < 0.5)
    tape = Tape()
    watched = [tape.watch(one) for one in inputs]
    y, _, weights = scaled_dot_product_attention(*watched, added, factor, 0.4, 0.0)
    upstream = array(y.shape, seed=5), array(weights.shape, seed=6)
    found = tape.gradients([y, weights], list(upstream))
    _, saved, _ = scaled_dot_product_attention(*inputs, added, factor, 0.4, 0.0)
    grads = scaled_dot_product_attention_backward(*upstream, factor, 0.4, saved)
    for grad, value in zip(grads, watched, strict=True):
        np.testing.assert_allclose(grad, found[value], rtol=1e-12, atol=1e-13)


def test_large_scores_do_not_overflow():
    query = key = np.array([[1e100, 0.0], [0.0, 1e100]])
    y, _, weights = scaled_dot_product_attention(query, key, np.eye(2), 0.0, 1.0, 1.0, 0.0)
    np.testing.assert_array_equal(weights[1], [0.0, 1.0])
    np.testing.assert_array_equal(y[1], [0.0, 1.0])


def pair(heads=2, size=4, dtype=np.float64, **options):
    ours = random_state(flat.MultiheadAttention(size, heads, **options, dtype=dtype), 1)
    for parameter in ours.parameters():
        parameter.data *= 0.5
    return ours, flat.TorchMultiheadAttention(size, heads, **options)


@given(
    need_weights=st.booleans(),
    average=st.booleans(),
    padding=st.sampled_from([None, "boolean", "added"]),
    mask=st.sampled_from([None, "boolean", "added"]),
    per_head=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5, 1.0]),
    batch=st.sampled_from([None, 1, 3]),
    batch_first=st.booleans(),
    seed=seeds,
)
def test_parity(need_weights, average, padding, mask, per_head, dropout, batch, batch_first, seed):
    rng = np.random.default_rng(seed)
    ours, theirs = pair(dropout=dropout, batch_first=batch_first)
    middle = () if batch is None else (batch,)
    q, s = ((*middle, n, 4) if batch_first else (n, *middle, 4) for n in (3, 5))
    call = {"need_weights": need_weights, "average_attn_weights": average}
    count = 2 * (batch or 1)
    for name, kind, shape in (
        ("key_padding_mask", padding, (*middle, 5)),
        ("attn_mask", mask, (count, 3, 5) if per_head else (3, 5)),
    ):
        if kind is not None and (mask == padding or name == "attn_mask" or mask is None):
            hides = rng.random(shape) < 0.4
            hides[..., 0] = False
            call[name] = hides if kind == "boolean" else np.where(hides, -np.inf, rng.normal(size=shape))
    ours.call = theirs.call = call
    check(ours, theirs, array(q, seed=2), array(s, seed=3), array(s, seed=4), seed=seed).raise_if_different()


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_that_may_see_no_key(need_weights):
    """PyTorch gives it NaN if the weights are asked for; otherwise its mean of the values is 0."""
    ours, theirs = pair()
    mask = np.zeros((3, 5), bool)
    mask[1] = True
    ours.call = theirs.call = {"attn_mask": mask, "need_weights": need_weights}
    inputs = array((3, 2, 4), seed=2), array((5, 2, 4), seed=3), array((5, 2, 4), seed=4)
    check(ours, theirs, *inputs).raise_if_different()
    y = ours(*inputs)
    assert np.isnan(y[0][1]).all() if need_weights else np.array_equal(y[1], np.tile(ours.out_proj.bias.data, (2, 1)))


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("lengths", [(0, 5), (3, 0), (0, 0)])
def test_no_queries_or_no_keys(need_weights, lengths):
    ours, theirs = pair()
    ours.call = theirs.call = {"need_weights": need_weights}
    inputs = [array((n, 2, 4), seed=place) for place, n in enumerate((lengths[0], lengths[1], lengths[1]))]
    check(ours, theirs, *inputs).raise_if_different()


def test_causal_is_a_hint_that_is_believed_where_torch_believes_it():
    ours, theirs = pair()
    wrong = np.zeros((4, 4), bool)  # hides nothing
    inputs = [array((4, 2, 4), seed=place) for place in range(3)]
    for call in (
        {"need_weights": False},
        {"need_weights": True},
        {"need_weights": False, "key_padding_mask": np.array([[False] * 3 + [True]] * 2)},
    ):
        ours.call = theirs.call = {"attn_mask": wrong, "is_causal": True, **call}
        check(ours, theirs, *inputs).raise_if_different()
    with pytest.raises(RuntimeError, match="expected attn_mask along with is_causal"):
        nn.MultiheadAttention(4, 2, dtype=np.float64)(*inputs, is_causal=True)


def test_self_attention_sums_three_gradients():
    layer, x = nn.MultiheadAttention(4, 2, dtype=np.float64), array((3, 2, 4))
    theirs = torch.nn.MultiheadAttention(4, 2).double()
    theirs.load_state_dict({key: torch.tensor(values) for key, values in layer.state_dict().items()})
    y, _ = layer(x, x, x)
    g = array(y.shape, seed=1)
    grad_x = sum(layer.backward(g))
    tensor = torch.tensor(x, requires_grad=True)
    theirs(tensor, tensor, tensor)[0].backward(torch.tensor(g))
    np.testing.assert_allclose(grad_x, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)
    for one, other in zip(layer.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_a_dropout_behind_it_draws_torchs_mask(batch_first, need_weights):
    """It draws in the order of the memory, where PyTorch's attention leaves its output step by step."""
    ours, theirs = pair(batch_first=batch_first)
    theirs = theirs.double()
    theirs.load_state_dict({key: torch.tensor(values) for key, values in ours.state_dict().items()})
    ours.call = theirs.call = {"need_weights": need_weights}
    inputs = [array((3, 5, 4), seed=place) for place in range(3)]
    found, expected = ours(*inputs), theirs(*map(torch.tensor, inputs))
    found, expected = (one[0] if need_weights else one for one in (found, expected))
    scratch.manual_seed(3)
    torch.manual_seed(3)
    dropped, twin = nn.Dropout()(found), torch.nn.Dropout()(expected).detach().numpy()
    np.testing.assert_array_equal(dropped == 0, twin == 0)


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_outputs_that_nobody_reads(average, batched):
    layer = nn.MultiheadAttention(4, 2, dtype=np.float64)
    x = array((3, 2, 4) if batched else (3, 4))
    found = []
    for zeros in (False, True):
        y, weights = layer(x, x, x, average_attn_weights=average)
        found.append(layer.backward(array(y.shape), np.zeros_like(weights) if zeros else None))
        y, weights = layer(x, x, x, average_attn_weights=average)
        found.append(layer.backward(np.zeros_like(y) if zeros else None, array(weights.shape)))
    for place in (0, 1):
        for one, other in zip(found[place], found[place + 2], strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_input_that_is_query_key_and_value_belongs_to_the_caller():
    layer, x, g = nn.MultiheadAttention(4, 2, dtype=np.float64), array((3, 4)), array((3, 4), seed=1)
    layer(x, x, x)
    expected = layer.backward(g)
    changed = x.copy()
    layer(changed, changed, changed)
    changed[...] = 7.0
    for one, other in zip(layer.backward(g), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_inputs_and_weights_belong_to_the_caller():
    layer, x, g = nn.MultiheadAttention(4, 2, dtype=np.float64), array((3, 2, 4)), array((3, 2, 4), seed=1)
    layer(x.copy(), x.copy(), x.copy())
    expected = layer.backward(g)
    inputs = [x.copy() for _ in range(3)]
    y, weights = layer(*inputs, average_attn_weights=False)
    for one in (*inputs, y, weights):
        one[...] = 7.0
    for one, other in zip(layer.backward(g), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_which_forward_a_backward_undoes():
    layer, x, g = nn.MultiheadAttention(4, 2, dtype=np.float64), array((3, 2, 4)), array((3, 2, 4), seed=1)
    with pytest.raises(RuntimeError, match="MultiheadAttention: backward was called before forward"):
        layer.backward(g)
    layer(x, x, x)
    with scratch.no_grad():
        layer(x[:1], x, x)
    layer.backward(g)
    with pytest.raises(RuntimeError, match="MultiheadAttention: backward was called a second time"):
        layer.backward(g)
    layer(x, x, x)
    layer(x, x, x)
    with pytest.raises(RuntimeError, match="MultiheadAttention: 2 forwards have run"):
        layer.backward(g)
    layer.train()(x, x, x)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with pytest.raises(RuntimeError, match="MultiheadAttention: backward was called before forward"):
            other.backward(g)
    with pytest.raises(RuntimeError, match="MultiheadAttention: what forward saved was dropped"):
        layer.eval().backward(g)


def test_a_layer_that_is_applied_twice_is_reused():
    reused, x, g = nn.Reused(nn.MultiheadAttention(4, 2, dtype=np.float64)), array((3, 2, 4)), array((3, 2, 4), seed=1)
    one, other = (copy.deepcopy(reused.module) for _ in range(2))
    y, _ = reused(x, x, x, need_weights=False)
    reused(y, y, y, need_weights=False)
    found = sum(reused.backward(sum(reused.backward(g))))
    y, _ = one(x, x, x)
    other(y, y, y)
    np.testing.assert_allclose(found, sum(one.backward(sum(other.backward(g)))), rtol=1e-12, atol=1e-14)
    for total, a, b in zip(reused.parameters(), one.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(total.grad, a.grad + b.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("frozen", ["in_proj_weight", "in_proj_bias", "out_proj.weight"])
def test_frozen_parameters_get_no_gradient_and_the_others_keep_theirs(frozen):
    layer, x, g = nn.MultiheadAttention(4, 2, dtype=np.float64), array((3, 2, 4)), array((3, 2, 4), seed=1)
    layer(x, x, x)
    grads = layer.backward(g)
    expected = {name: parameter.grad for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    layer.get_parameter(frozen).requires_grad = False
    layer(x, x, x)
    for one, other in zip(layer.backward(g), grads, strict=True):
        np.testing.assert_array_equal(one, other)
    for name, parameter in layer.named_parameters():
        if name == frozen:
            assert parameter.grad is None
        else:
            np.testing.assert_array_equal(parameter.grad, expected[name])
    assert layer.requires_input_grad_(False) is layer
    layer(x, x, x)
    assert layer.backward(g) == (None, None, None)


@pytest.mark.parametrize("seed", [0, 12345])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
def test_initial_values_are_torchs(seed, dtype, bias):
    scratch.manual_seed(seed)
    torch.manual_seed(seed)
    ours = nn.MultiheadAttention(12, 3, bias=bias, dtype=dtype)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=bias, dtype=getattr(torch, dtype)).state_dict()
    assert list(ours.state_dict()) == list(theirs)
    for name, values in ours.state_dict().items():
        np.testing.assert_array_equal(values, theirs[name].numpy())


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"embed_dim": 5}, ValueError, "a multiple of num_heads, got 5 and 2"),
        ({"num_heads": 0}, ValueError, "of 1 or more, got 4 and 0"),
        ({"dropout": 1.5}, ValueError, r"dropout within \[0, 1\], got 1.5"),
        ({"add_bias_kv": True}, NotImplementedError, "add_bias_kv is not supported"),
        ({"add_zero_attn": True}, NotImplementedError, "add_zero_attn is not supported"),
        ({"kdim": 3}, NotImplementedError, "kdim is not supported; expected the default, got 3"),
        ({"vdim": 3}, NotImplementedError, "vdim is not supported; expected the default, got 3"),
        ({"kdim": 0}, NotImplementedError, "kdim is not supported; expected the default, got 0"),
        ({"dtype": np.float16}, TypeError, "float32 or float64"),
    ],
)
def test_refused_options(options, kind, words):
    with pytest.raises(kind, match=f"MultiheadAttention: .*{words}"):
        nn.MultiheadAttention(**{"embed_dim": 4, "num_heads": 2, **options})
    nn.MultiheadAttention(4, 2, kdim=4, vdim=4)


@pytest.mark.parametrize("name", ["add_bias_kv", "add_zero_attn"])
def test_a_flag_that_is_not_supported_is_refused_where_it_equals_the_size(name):
    """True == 1."""
    with pytest.raises(NotImplementedError, match=f"MultiheadAttention: {name} is not supported; .* got True"):
        nn.MultiheadAttention(1, 1, **{name: True})


Q, S = np.zeros((3, 2, 4), np.float32), np.zeros((5, 2, 4), np.float32)


@pytest.mark.parametrize(
    ("inputs", "call", "kind", "words"),
    [
        ((Q[0, 0], S, S), {}, RuntimeError, "query with 2 or 3 axes"),
        ((Q[..., :3], S, S), {}, RuntimeError, "query with .* the last 4 long"),
        ((Q, S[0], S[0]), {}, RuntimeError, "key and value of one shape, with 3 axes"),
        ((Q, S, S[:4]), {}, RuntimeError, "key and value of one shape"),
        ((Q, S[:, :1], S[:, :1]), {}, RuntimeError, "key of query's batch size"),
        ((Q, S.astype(np.float64), S), {}, RuntimeError, "key of dtype float32, got float64"),
        ((Q, S, None), {}, TypeError, r"value to be a numpy\.ndarray"),
        ((Q, S, S), {"attn_mask": np.zeros((5, 3), bool)}, RuntimeError, r"attn_mask of shape \(3, 5\) or \(4, 3, 5\)"),
        ((Q, S, S), {"attn_mask": np.zeros((3, 5))}, RuntimeError, "attn_mask of dtype bool or float32, got float64"),
        ((Q, S, S), {"attn_mask": np.zeros((3, 5), int)}, RuntimeError, "attn_mask of dtype bool or float32"),
        ((Q, S, S), {"attn_mask": [[0.0]]}, TypeError, r"attn_mask to be a numpy\.ndarray"),
        ((Q, S, S), {"key_padding_mask": np.zeros((5, 2), bool)}, RuntimeError, r"key_padding_mask of shape \(2, 5\)"),
        ((Q, S, S), {"key_padding_mask": np.zeros((2, 5))}, RuntimeError, "key_padding_mask of dtype bool or float32"),
    ],
)
def test_refused_inputs(inputs, call, kind, words):
    with pytest.raises(kind, match=f"MultiheadAttention: expected {words}"):
        nn.MultiheadAttention(4, 2)(*inputs, **call)


def test_the_repr_names_no_arguments_as_torchs():
    assert repr(nn.MultiheadAttention(4, 2)).splitlines()[0] == "MultiheadAttention("
    assert repr(torch.nn.MultiheadAttention(4, 2)).splitlines()[0] == "MultiheadAttention("


def test_refused_gradients():
    layer = nn.MultiheadAttention(4, 2)
    layer(Q, S, S)
    for wrong in ((Q[:2],), (Q.astype(np.float64),), (Q, np.zeros((2, 3, 4), np.float32)), (Q, np.zeros((2, 3, 5)))):
        with pytest.raises(RuntimeError, match="MultiheadAttention: expected grad_output of"):
            layer.backward(*wrong)
