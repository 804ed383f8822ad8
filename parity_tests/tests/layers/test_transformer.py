"""Transformers: options crossed, masks of floats, hints, dropout, initial values, copies of layers, refusals."""

import functools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
from parity_tests.harness.arrays import array, random_state
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import seeds
from scratch import nn

SIZES = (6, 2, 5)
Q, S = np.zeros((3, 2, 6)), np.zeros((4, 2, 6))
NAMES = [f"Transformer{part}{kind}" for part in ("Encoder", "Decoder") for kind in ("Layer", "")]
GELU = {nn: lambda: nn.GELU("tanh"), torch.nn: lambda: functools.partial(torch.nn.functional.gelu, approximate="tanh")}
ACTIVATIONS = {"relu": lambda _: "relu", "gelu": lambda _: "gelu", "module": lambda engine: GELU[engine]()}


def made(engine, name, activation="relu", norm=False, layers=2, **options):
    """Return a layer, or a stack of them, of either engine."""
    own = {"dtype": np.float64} if engine is nn else {}
    layer = getattr(engine, name.removesuffix("Layer") + "Layer")
    one = layer(*SIZES, activation=ACTIVATIONS[activation](engine), **options, **own)
    if name.endswith("Layer"):
        return one
    more = {"enable_nested_tensor": False} if name == "TransformerEncoder" else {}
    return getattr(engine, name)(one, layers, engine.LayerNorm(SIZES[0], **own) if norm else None, **more)


def both(name, **options):
    """Return a layer of each engine, in float64, with the same random numbers."""
    ours, theirs = random_state(made(nn, name, **options), 1), made(torch.nn, name, **options).double()
    for parameter in ours.parameters():
        parameter.data *= 0.5
    theirs.load_state_dict({key: torch.tensor(values) for key, values in ours.state_dict().items()})
    return ours, theirs


def compare(ours, theirs, inputs, call, seed=0):
    """Hold output and gradients of a call to PyTorch's; both draw from the same seed."""
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    as_tensors = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in call.items()}
    scratch.manual_seed(seed)
    torch.manual_seed(seed)
    y, expected = ours(*inputs, **call), theirs(*tensors, **as_tensors)
    g = array(y.shape, seed=9)
    grads = ours.backward(g)
    expected.backward(torch.tensor(g))
    found = [y, *(grads if isinstance(grads, tuple) else (grads,)), *[one.grad for one in ours.parameters()]]
    wanted = [expected, *[tensor.grad for tensor in tensors], *[one.grad for one in theirs.parameters()]]
    for one, other in zip(found, wanted, strict=True):
        scale = max(1.0, float(other.detach().abs().max()))
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-12, atol=1e-12 * scale)


def inputs_of(name, batch_first=False):
    shapes = (3, 2, 6), (4, 2, 6)
    shapes = [(b, n, e) if batch_first else (n, b, e) for n, b, e in shapes]
    return [array(shape, seed=seed) for seed, shape in enumerate(shapes[: 1 + ("Decoder" in name)], 2)]


@pytest.mark.parametrize("name", NAMES)
@given(
    mask=st.sampled_from([None, "boolean", "added"]),
    padding=st.booleans(),
    causal=st.booleans(),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.3]),
    batch_first=st.booleans(),
    norm_first=st.booleans(),
    bias=st.booleans(),
    seed=seeds,
)
def test_parity(name, mask, padding, causal, activation, norm, dropout, batch_first, norm_first, bias, seed):
    options = {"dropout": dropout, "batch_first": batch_first, "norm_first": norm_first, "bias": bias}
    ours, theirs = both(name, activation=activation, norm=norm, **options)
    rng, call = np.random.default_rng(seed), {}
    words = {"TransformerEncoder": ("mask", "src_", "is_causal")}.get(name, ("src_mask", "src_", "is_causal"))
    if "Decoder" in name:
        words = "tgt_mask", "tgt_", "tgt_is_causal"

    def hidden(*shape):
        hides = rng.random(shape) < 0.4
        hides[..., 0] = False
        return hides if mask == "boolean" else np.where(hides, -np.inf, rng.normal(size=shape))

    if mask:
        call[words[0]] = np.triu(np.full((3, 3), -np.inf), 1) if causal else hidden(3, 3)
        call |= {words[2]: True} if causal else {}
        call |= {f"{words[1]}key_padding_mask": hidden(2, 3)} if padding and not causal else {}
        if "Decoder" in name:
            call["memory_mask"] = hidden(3, 4)
            call |= {"memory_key_padding_mask": hidden(2, 4)} if padding else {}
    compare(ours, theirs, inputs_of(name, batch_first), call, seed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_values_are_torchs(name, dtype):
    scratch.manual_seed(5)
    torch.manual_seed(5)
    layer = name.removesuffix("Layer") + "Layer"
    ours = getattr(nn, layer)(6, 3, 7, dtype=dtype)
    theirs = getattr(torch.nn, layer)(6, 3, 7, dtype=getattr(torch, dtype))
    if layer != name:
        more = {"enable_nested_tensor": False} if name == "TransformerEncoder" else {}
        ours, theirs = getattr(nn, name)(ours, 2), getattr(torch.nn, name)(theirs, 2, **more)
    expected = theirs.state_dict()
    assert list(ours.state_dict()) == list(expected)
    for key, values in ours.state_dict().items():
        np.testing.assert_array_equal(values, expected[key].numpy())
    assert scratch.random.rand(1) == torch.rand(1).numpy()


@pytest.mark.parametrize("name", ["TransformerEncoder", "TransformerDecoder"])
def test_a_stack_copies_its_layer(name):
    one = made(nn, f"{name}Layer")
    stack = getattr(nn, name)(one, 3)
    assert stack.num_layers == len(stack.layers) == 3
    assert len({id(parameter) for parameter in (*one.parameters(), *stack.parameters())}) == 4 * len(
        [*one.parameters()]
    )
    for layer in stack.layers:
        for parameter, copy in zip(one.parameters(), layer.parameters(), strict=True):
            np.testing.assert_array_equal(parameter.data, copy.data)


@pytest.mark.parametrize("name", NAMES)
def test_a_position_that_sees_nothing_gets_nothing_from_attention(name):
    """It would be NaN if the weights were asked for, here as in PyTorch."""
    ours, theirs = both(name, dropout=0.0)
    hidden = np.arange(3) == 1
    call = {"TransformerEncoder": "mask", "TransformerEncoderLayer": "src_mask"}.get(name, "tgt_mask")
    masks = {call: np.repeat(hidden[:, None], 3, axis=1)}
    if "Decoder" in name:
        masks["memory_mask"] = np.repeat(hidden[:, None], 4, axis=1)
    inputs = inputs_of(name)
    assert np.isfinite(ours(*inputs, **masks)).all()
    ours._call_off()
    compare(ours, theirs, inputs, masks)


def test_a_hint_that_a_mask_is_causal_needs_the_mask():
    encoder, decoder = made(nn, "TransformerEncoder"), made(nn, "TransformerDecoder")
    for call in (lambda: encoder(Q, is_causal=True), lambda: decoder(Q, S, tgt_is_causal=True)):
        with pytest.raises(RuntimeError, match="expected attn_mask along with is_causal, got None"):
            call()
    with pytest.raises(RuntimeError, match="expected attn_mask along with is_causal, got None"):
        decoder.train()(Q, S, memory_is_causal=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_layer_behind_it_that_refuses_leaves_nothing_behind(name, norm_first):
    """What the layers had kept for a backward is dropped with the forward that failed."""
    ours = made(nn, name, norm=True, norm_first=norm_first)
    inputs = inputs_of(name)
    ours(*inputs)
    ours._call_off()
    y = ours(*inputs)
    ours.backward(array(y.shape, seed=3))
    if "Encoder" in name:
        model = nn.Sequential(ours, nn.Linear(7, 2, dtype=np.float64))
        with pytest.raises(RuntimeError, match="Linear"):
            model(*inputs)
        ours(*inputs)
        ours.backward(array(y.shape, seed=3))


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_refused_before_anything_is_kept(name):
    ours = made(nn, name, norm_first=True)
    x, *memory = inputs_of(name)
    wrong = [(x[..., :5], *memory), (x[0, 0], *memory), (x.astype(np.float32), *memory)]
    words = ["2 or 3 axes, the last 6 long, got", "2 or 3 axes, the last 6 long, got", "of dtype float64, got float32"]
    if memory:
        wrong += [(x, memory[0][..., :5]), (x, None)]
        words += ["memory with 2 or 3 axes", r"memory to be a numpy\.ndarray"]
    for inputs, said in zip(wrong, words, strict=True):
        with pytest.raises((RuntimeError, TypeError), match=rf"Transformer\w+Layer: expected .*{said}"):
            ours(*inputs)
    y = ours(x, *memory)
    ours.backward(array(y.shape, seed=3))


@pytest.mark.parametrize("part", ["Encoder", "Decoder"])
def test_refused_options(part):
    name = f"Transformer{part}Layer"
    layer, stack = getattr(nn, name), getattr(nn, f"Transformer{part}")
    said = refuses_as_torch(
        lambda: layer(4, 2, activation="tanh"), lambda: getattr(torch.nn, name)(4, 2, activation="tanh")
    )
    assert said == f"{name}: expected activation 'relu', 'gelu' or a Module, got 'tanh'"
    for wrong in (np.tanh, nn.ReLU, None):
        with pytest.raises(TypeError, match=f"{name}: expected activation to be a str or a Module, got"):
            layer(4, 2, activation=wrong)
    for arguments in ((None, 2), (layer(4, 2), 2, "norm")):
        with pytest.raises(
            TypeError, match=f"Transformer{part}: expected a Module to copy, and a Module or None as norm"
        ):
            stack(*arguments)
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match=f"Transformer{part}: expected num_layers of 1 or more, got {wrong}"):
            stack(layer(4, 2), wrong)


def test_options_of_speed_change_nothing():
    one, x = made(nn, "TransformerEncoderLayer").eval(), inputs_of("TransformerEncoder")[0]
    ones = [
        nn.TransformerEncoder(one, 2, None, nested, check).eval()(x)
        for nested in (True, False)
        for check in (True, False)
    ]
    for other in ones[1:]:
        np.testing.assert_array_equal(ones[0], other)


# Encoder and decoder together.


def whole(engine, activation="relu", **options):
    """Return a Transformer of either engine."""
    own = {"dtype": np.float64} if engine is nn else {"dtype": torch.float64}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "enable_nested_tensor is True")
        return engine.Transformer(6, 2, 2, 1, 5, activation=ACTIVATIONS[activation](engine), **options, **own)


def sources_and_targets(batch_first=False):
    return inputs_of("Decoder", batch_first)[::-1]


@given(
    mask=st.sampled_from([None, "boolean", "added"]),
    padding=st.booleans(),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    dropout=st.sampled_from([0.0, 0.3]),
    batch_first=st.booleans(),
    norm_first=st.booleans(),
    bias=st.booleans(),
    seed=seeds,
)
def test_a_transformer_is_torchs(mask, padding, activation, dropout, batch_first, norm_first, bias, seed):
    options = {"dropout": dropout, "batch_first": batch_first, "norm_first": norm_first, "bias": bias}
    ours, theirs = random_state(whole(nn, activation, **options), 1), whole(torch.nn, activation, **options)
    for parameter in ours.parameters():
        parameter.data *= 0.5
    theirs.load_state_dict({key: torch.tensor(values) for key, values in ours.state_dict().items()})
    rng, call = np.random.default_rng(seed), {}

    def hidden(*shape):
        hides = rng.random(shape) < 0.4
        hides[..., 0] = False
        return hides if mask == "boolean" else np.where(hides, -np.inf, rng.normal(size=shape))

    if mask:
        call = {"src_mask": hidden(4, 4), "tgt_mask": hidden(3, 3), "memory_mask": hidden(3, 4)}
    if mask and padding:
        shapes = {"src": (2, 4), "tgt": (2, 3), "memory": (2, 4)}
        call |= {f"{name}_key_padding_mask": hidden(*shape) for name, shape in shapes.items()}
    compare(ours, theirs, sources_and_targets(batch_first), call, seed)


@pytest.mark.parametrize("bias", [True, False])
def test_a_transformer_begins_as_torchs(bias):
    scratch.manual_seed(5)
    torch.manual_seed(5)
    ours, expected = whole(nn, bias=bias), whole(torch.nn, bias=bias).state_dict()
    assert list(ours.state_dict()) == list(expected)
    for key, values in ours.state_dict().items():
        np.testing.assert_array_equal(values, expected[key].numpy())
    assert scratch.random.rand(1) == torch.rand(1).numpy()
    assert (ours.d_model, ours.nhead, ours.batch_first) == (6, 2, False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_subsequent_mask_is_torchs_and_hides_later_targets(dtype):
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype)
    expected = torch.nn.Transformer.generate_square_subsequent_mask(3, dtype=getattr(torch, dtype))
    np.testing.assert_array_equal(mask, expected.numpy(), strict=True)
    assert nn.Transformer.generate_square_subsequent_mask(2).dtype == np.float32
    ours, (src, tgt) = whole(nn, dropout=0.0), sources_and_targets()
    hint = {"tgt_mask": mask.astype(np.float64), "tgt_is_causal": True}
    y = ours(src, tgt, **hint)
    _, grad_tgt = ours.backward(array(y.shape, seed=3) * (np.arange(3) < 2)[:, None, None])
    assert not grad_tgt[2].any()
    assert grad_tgt[1].all()
    for size, kind in ((-1, RuntimeError), (2.0, TypeError)):
        refuses_as_torch(
            lambda size=size: nn.Transformer.generate_square_subsequent_mask(size),
            lambda size=size: torch.nn.Transformer.generate_square_subsequent_mask(size),
        )
        with pytest.raises(kind, match="Transformer: expected sz"):
            nn.Transformer.generate_square_subsequent_mask(size)


def test_hints_reach_their_stacks():
    ours, (src, tgt) = whole(nn), sources_and_targets()
    for name in ("src", "tgt", "memory"):
        with pytest.raises(RuntimeError, match="expected attn_mask along with is_causal, got None"):
            ours(src, tgt, **{f"{name}_is_causal": True})


class Doubled(nn.Module):
    """Stands for a custom encoder, or a decoder that adds the sum of the memory."""

    def forward(self, x, memory=0.0, **masks):
        self.has_memory, self.masks = np.ndim(memory) > 0, set(masks)
        return 2 * x + np.sum(memory)

    def backward(self, grad_y):
        grad_x = 2 * grad_y
        return (grad_x, np.full_like(grad_y, grad_y.sum())) if self.has_memory else grad_x


def test_custom_parts_take_the_place_of_its_own():
    ours, x = nn.Transformer(6, 2, custom_encoder=Doubled(), custom_decoder=Doubled()), array((3, 2, 6))
    assert not list(ours.parameters())
    y, g = ours(x, x + 1), array((3, 2, 6), seed=1)
    np.testing.assert_allclose(y, 2 * (x + 1) + 2 * x.sum())
    grad_src, grad_tgt = ours.backward(g)
    np.testing.assert_allclose(grad_src, np.full_like(x, 2 * g.sum()))
    np.testing.assert_allclose(grad_tgt, 2 * g)
    assert ours.encoder.masks == {"mask", "src_key_padding_mask", "is_causal"}
    one = nn.Linear(6, 6)
    before = one.weight.data.copy()
    assert nn.Transformer(6, 2, 1, 1, custom_decoder=one).decoder is one
    assert (one.weight.data != before).all()  # drawn again with all the rest, as in PyTorch


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_transformer_refuses_what_does_not_fit_and_keeps_nothing(batch_first):
    ours, theirs = whole(nn, batch_first=batch_first), whole(torch.nn, batch_first=batch_first)
    src, tgt = sources_and_targets(batch_first)
    cut = np.s_[:1] if batch_first else np.s_[:, :1]
    for inputs, said in (
        ((src, tgt[cut]), "src and tgt of one batch, got"),
        ((src[..., :5], tgt), "src with 2 or 3 axes, the last 6 long, got"),
        ((src, tgt[..., :5]), "tgt with 2 or 3 axes, the last 6 long, got"),
    ):
        message = refuses_as_torch(
            lambda inputs=inputs: ours(*inputs), lambda inputs=inputs: theirs(*map(torch.tensor, inputs))
        )
        assert f"Transformer: expected {said}" in message
    for inputs, said in (
        ((src, tgt[0]), "Transformer: expected src and tgt of one batch"),
        ((src[0, 0], tgt), "Transformer: expected src with 2 or 3 axes"),
        ((src, tgt.astype(np.float32)), "TransformerDecoderLayer: expected input of dtype float64, got float32"),
    ):
        with pytest.raises(RuntimeError, match=said):
            ours(*inputs)
    with pytest.raises(
        TypeError, match=r"Transformer: expected tgt to be a numpy\.ndarray, .* np\.array\(tgt, np\.float64\)"
    ):
        ours(src, tgt.tolist())
    y = ours(src, tgt)
    ours._call_off()
    ours(src, tgt)
    ours.backward(array(y.shape, seed=3))
    y = ours(src[:, 0], tgt[:, 0])
    ours.backward(array(y.shape, seed=3))
