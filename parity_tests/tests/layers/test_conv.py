"""Conv2d and Conv1d against PyTorch, finite differences, loops and laws; options crossed with shapes."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.conv_in_loops import convolve_in_loops, convolve_in_loops_backward
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.refusals import layer_refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.harness.threads import same_with_any_number_of_threads
from scratch.kernels import products
from scratch.kernels.patch_plan import PatchPlan

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.one_of(
    st.integers(0, 2), st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from(["valid", "same"])
)
modes = st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"])
options = st.fixed_dictionaries(
    {
        "kernel_size": st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 5), st.integers(1, 5))),
        "stride": st.one_of(st.integers(1, 2), pairs),
        "padding": paddings,
        "dilation": st.one_of(st.just(1), pairs),
        "padding_mode": modes,
        "groups": st.sampled_from([1, 1, 2, 3]),
        "bias": st.booleans(),
    }
)
channels = st.tuples(st.integers(1, 4), st.integers(1, 4))
batches = st.sampled_from([None, 0, 1, 3])
images = st.tuples(st.integers(1, 12), st.integers(1, 12))


def build(channels, options, dtype="float64", seed=0):
    """Return both engines' layers; ``channels`` are the input and output channels per group."""
    if options["padding"] == "same":
        options = options | {"stride": 1}
    inside, outside = (options["groups"] * count for count in channels)
    layer = random_state(nn.Conv2d(inside, outside, dtype=dtype, **options), seed)
    return layer, torch.nn.Conv2d(inside, outside, **options)


def accepts(torch_layer, shape):
    """Return whether PyTorch takes an input of this shape."""
    try:
        with torch.no_grad():
            torch_layer(torch.zeros(shape))
    except RuntimeError:
        return False
    return True


@given(
    channels=channels, options=options, batch=batches, image=images, dtype=dtypes, layout=layouts, seed=seeds
)  # fmt: skip
def test_is_torchs(channels, options, batch, image, dtype, layout, seed):
    layer, torch_layer = build(channels, options, dtype, seed)
    shape = (layer.in_channels, *image) if batch is None else (batch, layer.in_channels, *image)
    x = array(shape, dtype, seed=seed, layout=layout)
    if accepts(torch_layer, shape):
        check(layer, torch_layer, x, seed=seed).raise_if_different()
    else:
        with pytest.raises(RuntimeError, match="Conv2d"):
            layer(x)


# Shapes that cover every way of im2col and col2im, with several chunks of images for two threads.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("arguments", "options", "shape"),
    [
        ((1, 32, 3), {"padding": 1}, (40, 1, 28, 28)),
        ((32, 64, 3), {"padding": 1}, (13, 32, 14, 14)),
        ((4, 32, 8), {"stride": 4}, (9, 4, 84, 84)),
        ((32, 64, 4), {"stride": 2}, (9, 32, 20, 20)),
        ((64, 64, 3), {}, (11, 64, 9, 9)),
        ((8, 12, (4, 3)), {"stride": (2, 3), "padding": (1, 2)}, (30, 8, 37, 29)),
        ((8, 12, (4, 2)), {"stride": 2, "padding": (1, 2), "padding_mode": "reflect"}, (30, 8, 37, 29)),
        ((16, 16, 3), {"padding": "same", "padding_mode": "circular", "dilation": 2}, (30, 16, 31, 15)),
        ((16, 12, (4, 2)), {"padding": "same"}, (20, 16, 13, 9)),
        ((8, 12, (4, 2)), {"stride": 2, "groups": 2}, (20, 8, 17, 13)),
        ((24, 48, 3), {"groups": 24, "padding": 1}, (30, 24, 14, 14)),
        ((16, 16, 5), {"padding": 6, "dilation": (1, 3)}, (30, 16, 7, 15)),
    ],
)
def test_is_torchs_at_the_shapes_of_networks(arguments, options, shape, dtype):
    layer = random_state(nn.Conv2d(*arguments, **options, dtype=dtype), 1)
    for _, parameter in layer.named_parameters():
        parameter.data /= 8
    x = array(shape, dtype, layout="channels-last")
    check(layer, torch.nn.Conv2d(*arguments, **options), x).raise_if_different()


@given(
    channels=channels,
    options=options,
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    image=images,
    seed=seeds,
)
def test_is_what_loops_compute(channels, options, padding, image, seed):
    layer, torch_layer = build(channels, options | {"padding_mode": "zeros", "padding": padding}, seed=seed)
    shape = (2, layer.in_channels, *image)
    assume(accepts(torch_layer, shape))
    x = array(shape, seed=seed)
    y = layer(x)
    grad_y = array(y.shape, seed=seed + 1)
    grad_x = layer.backward(grad_y)
    geometry = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    bias = None if layer.bias is None else layer.bias.data
    loops = convolve_in_loops(x, layer.weight.data, bias, **geometry)
    loops_grad_x, grad_weight, grad_bias = convolve_in_loops_backward(x, layer.weight.data, grad_y, **geometry)
    np.testing.assert_allclose(y, loops, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad_x, loops_grad_x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad, grad_weight, rtol=1e-12, atol=1e-12)
    if layer.bias is not None:
        np.testing.assert_allclose(layer.bias.grad, grad_bias, rtol=1e-12, atol=1e-12)


def test_loops_keep_to_its_inputs_dtype():
    x, weight, grad_y = (array(shape, "float32") for shape in ((1, 2, 3, 4), (1, 2, 2, 2), (1, 1, 4, 3)))
    geometry = {"stride": (1, 1), "padding": (1, 0), "dilation": (1, 1), "groups": 1}
    results = (
        convolve_in_loops(x, weight, None, **geometry),
        *convolve_in_loops_backward(x, weight, grad_y, **geometry),
    )
    assert [result.dtype for result in results] == [np.float32] * 4


@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2, "padding_mode": "reflect", "padding": (1, 0)}])
def test_is_its_finite_differences(options):
    layer = random_state(nn.Conv2d(2, 4, (4, 2), groups=2, **options, dtype=np.float64))
    check(layer, None, array((2, 2, 6, 5))).raise_if_different()


@given(channels=channels, options=options, image=images, seed=seeds)
def test_backward_is_the_adjoint_of_forward(channels, options, image, seed):
    """<g, J v> = <J^T g, v>: without a bias a convolution is linear in x and in w, so J v is a forward pass."""
    layer, torch_layer = build(channels, options | {"bias": False}, seed=seed)
    shape = (2, layer.in_channels, *image)
    assume(accepts(torch_layer, shape))
    v = array(shape, seed=seed)
    y = layer(v)
    g = array(y.shape, seed=seed + 1)
    grad_x = layer.backward(g)
    size = np.abs(g).sum() * np.abs(y).max(initial=1)
    assert abs(np.vdot(g, y) - np.vdot(grad_x, v)) <= 1e-13 * size
    assert abs(np.vdot(g, y) - np.vdot(layer.weight.grad, layer.weight.data)) <= 1e-13 * size


@given(channels=channels, options=options, image=images, seed=seeds)
def test_the_gradients_of_a_batch_are_the_sum_of_its_parts(channels, options, image, seed):
    layer, torch_layer = build(channels, options, seed=seed)
    assume(accepts(torch_layer, (3, layer.in_channels, *image)))
    x = array((3, layer.in_channels, *image), seed=seed)
    g = array(layer(x).shape, seed=seed + 1)
    grad_x = layer.backward(g)
    whole = {name: parameter.grad for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    for part in (slice(0, 1), slice(1, 3)):
        layer(x[part])
        np.testing.assert_allclose(layer.backward(g[part]), grad_x[part], rtol=1e-12, atol=1e-12)
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(parameter.grad, whole[name], rtol=1e-12, atol=1e-12)


@kernels_only
def test_results_do_not_depend_on_the_number_of_threads():
    same_with_any_number_of_threads(nn.Conv2d(8, 16, 3, padding=1), array((70, 8, 20, 20), "float32"))


def test_an_output_that_is_kept_is_never_overwritten():
    layer = nn.Conv2d(4, 16, 3, padding=1)
    x = array((16, 4, 24, 24), "float32")
    kept = layer(x)
    copy = kept.copy()
    part = layer.backward(kept)[3, 1]
    part_copy = part.copy()
    for seed in range(3):
        layer.backward(layer(array(x.shape, "float32", seed=seed)))
    np.testing.assert_array_equal(kept, copy)
    np.testing.assert_array_equal(part, part_copy)


@pytest.mark.parametrize("place", [np.nan, np.inf, -np.inf])
def test_special_values_are_torchs(place):
    x = array((2, 3, 6, 5), "float32")
    x[1, 2, 3, 4] = place
    check(random_state(nn.Conv2d(3, 4, 3, padding=1)), torch.nn.Conv2d(3, 4, 3, padding=1), x).raise_if_different()


@pytest.mark.parametrize("place", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(3, 4), (9, 5), (8, 9), (32, 33)])
def test_special_weights_are_torchs(place, channels):
    layer = random_state(nn.Conv2d(*channels, 3, padding=1, dtype=np.float64))
    layer.weight.data[1, 2, 1, 0] = place
    check(layer, torch.nn.Conv2d(*channels, 3, padding=1), array((2, channels[0], 6, 5))).raise_if_different()


@kernels_only
def test_output_lies_in_memory_channels_last():
    layer = nn.Conv2d(2, 3, 3)
    y = layer(array((2, 2, 5, 6), "float32"))
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    assert layer.backward(y).transpose(0, 2, 3, 1).flags.c_contiguous


def test_starts_as_torch_does():
    nn_weight = nn.Conv2d(4, 6, (3, 2), groups=2)
    bound = 1 / np.sqrt(2 * 3 * 2)
    for values in (nn_weight.weight.data, nn_weight.bias.data):
        assert np.abs(values).max() <= bound
    assert np.abs(nn_weight.weight.data).max() > 0.9 * bound


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"groups": 0}, None),
        ({"groups": 3}, None),
        ({"out_channels": 3, "groups": 2}, None),
        ({"padding": "full"}, None),
        ({"padding": "same", "stride": 2}, None),
        ({"padding_mode": "symmetric"}, None),
        ({"kernel_size": 3.0}, None),
        ({"kernel_size": "a"}, None),
        ({"in_channels": -2}, None),
        ({"stride": 0}, (1, 2, 6, 6)),
        ({"stride": 1.5}, (1, 2, 6, 6)),
        ({"stride": (1, 1, 1)}, (1, 2, 6, 6)),
        ({"dilation": 0}, (1, 2, 6, 6)),
        ({"padding": -1}, (1, 2, 6, 6)),
        ({"kernel_size": 0}, (1, 2, 6, 6)),
        ({"kernel_size": 7}, (1, 2, 6, 6)),
        ({"out_channels": 0}, (1, 2, 6, 6)),
        ({}, (1, 3, 6, 6)),
        ({}, (6, 6)),
        ({}, (1, 1, 2, 6, 6)),
        ({}, (1, 2, 0, 6)),
        ({"padding": 4}, (1, 2, 0, 6)),
        ({"padding": 6, "padding_mode": "reflect"}, (1, 2, 6, 6)),
        ({"padding": (0, 7), "padding_mode": "circular"}, (1, 2, 6, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_refuses_what_torch_refuses_in_the_same_kind(arguments, shape):
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3} | arguments
    assert "Conv2d" in layer_refuses_as_torch("Conv2d", arguments, shape)


def test_refuses_another_dtype_and_a_wrong_grad_output():
    layer = nn.Conv2d(2, 3, 3)
    with pytest.raises(RuntimeError, match="before forward"):
        layer.backward(np.zeros((1, 3, 1, 1), np.float32))
    with pytest.raises(RuntimeError, match="float32"):
        layer(np.zeros((1, 2, 5, 5)))
    layer(np.zeros((1, 2, 5, 5), np.float32))
    with pytest.raises(RuntimeError, match="grad_output"):
        layer.backward(np.zeros((1, 3, 3, 2), np.float32))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": (2, 1), "stride": 2, "dilation": 3, "padding_mode": "reflect", "bias": False},
        {"padding": "same", "groups": 2},
    ],
)
def test_prints_as_torchs(options):
    assert repr(nn.Conv2d(2, 4, 3, **options)) == repr(torch.nn.Conv2d(2, 4, 3, **options))


@pytest.mark.parametrize("channels", [(0, 2), (2, 0)])
def test_may_have_no_channels(channels):
    layer = nn.Conv2d(*channels, kernel_size=(1, 2))
    with pytest.warns(UserWarning, match="zero-element"):
        reference = torch.nn.Conv2d(*channels, kernel_size=(1, 2))
    assert layer.weight.shape == reference.weight.shape


def test_an_image_of_no_channels_is_mapped_to_the_bias():
    layer, x = nn.Conv2d(0, 2, 1), np.zeros((3, 0, 4, 5), np.float32)
    layer.bias.data[...] = [1.0, 2.0]
    y = layer(x)
    np.testing.assert_array_equal(y, np.broadcast_to([[[1.0]], [[2.0]]], y.shape))
    grad_output = array(y.shape, dtype=np.float32)
    assert layer.backward(grad_output).shape == x.shape
    np.testing.assert_allclose(layer.bias.grad, grad_output.sum(axis=(0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_and_gradients_have_the_layers_dtype(dtype):
    layer, x = nn.Conv2d(2, 3, 3, dtype=dtype), array((2, 2, 5, 4), dtype=dtype)
    y = layer(x)
    arrays = [y, layer.backward(array(y.shape, dtype=dtype))]
    arrays += [array for parameter in (layer.weight, layer.bias) for array in (parameter.data, parameter.grad)]
    assert [array.dtype for array in arrays] == [dtype] * 6


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((1.5, 2, 3), {}, TypeError, "expected in_channels to be an integer, got 1.5"),
        ((1, 2.5, 3), {}, TypeError, "expected out_channels to be an integer, got 2.5"),
        (
            (1, 2, 3),
            {"padding_mode": "mirror"},
            ValueError,
            "one of 'zeros', 'reflect', 'replicate', 'circular', got 'mirror'",
        ),
    ],
)
def test_a_refusal_says_what_was_expected(arguments, options, error, message):
    with pytest.raises(error, match=message):
        nn.Conv2d(*arguments, **options)


@kernels_only
def test_nothing_is_widened_on_the_way(monkeypatch):
    """A float64 array among the float32 ones would give the right result, but slowly."""
    seen = []

    def spy(owner, name):
        function = getattr(owner, name)

        def wrapped(*args):
            seen.extend(arg.dtype for arg in args if isinstance(arg, np.ndarray))
            return function(*args)

        monkeypatch.setattr(owner, name, wrapped)

    spy(products, "sum_products")
    spy(PatchPlan, "col2im")
    layer, x = nn.Conv2d(2, 3, 3), array((2, 2, 9, 8), dtype=np.float32)
    layer.backward(array(layer(x).shape, dtype=np.float32))
    assert seen == [np.float32] * 6


@pytest.mark.parametrize("frozen", [("weight",), ("bias",), ("weight", "bias")])
@pytest.mark.parametrize("input_grad", [True, False])
@pytest.mark.parametrize(
    "arguments", [(32, 33, 3), (4, 6, (4, 2), (2, 1)), (2, 3, 1)], ids=["Winograd", "blocks", "rows"]
)
def test_what_nobody_reads_is_left_out_and_nothing_else_changes(arguments, frozen, input_grad):
    layer = random_state(nn.Conv2d(*arguments, dtype=np.float64), 1)
    x = array((3, arguments[0], 7, 6))
    g = array(layer(x).shape, seed=1)
    expected = {"x": layer.backward(g)} | {name: one.grad for name, one in layer.named_parameters()}
    layer.zero_grad()
    layer.requires_input_grad_(input_grad)
    for name in frozen:
        getattr(layer, name).requires_grad = False
    layer(x)
    grad_x = layer.backward(g)
    found = {"x": grad_x} | {name: one.grad for name, one in layer.named_parameters()}
    unread = {*frozen, *(() if input_grad else ("x",))}
    assert {name for name, value in found.items() if value is None} == unread
    for name in expected.keys() - unread:
        np.testing.assert_array_equal(found[name], expected[name])


# Sequences.


@given(
    channels=channels,
    kernel_size=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.one_of(st.integers(0, 3), st.sampled_from(["valid", "same"])),
    dilation=st.integers(1, 3),
    padding_mode=modes,
    groups=st.sampled_from([1, 1, 2, 3]),
    bias=st.booleans(),
    batch=batches,
    length=st.integers(1, 14),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_of_sequences_is_torchs(channels, groups, bias, batch, length, dtype, layout, seed, **options):
    if options["padding"] == "same":
        options["stride"] = 1
    inside, outside = (groups * count for count in channels)
    layer = random_state(nn.Conv1d(inside, outside, groups=groups, bias=bias, **options, dtype=dtype), seed)
    torch_layer = torch.nn.Conv1d(inside, outside, groups=groups, bias=bias, **options)
    shape = (inside, length) if batch is None else (batch, inside, length)
    x = array(shape, dtype, seed=seed, layout=layout)
    if accepts(torch_layer, shape):
        check(layer, torch_layer, x, seed=seed).raise_if_different()
    else:
        with pytest.raises(RuntimeError, match="Conv1d"):
            layer(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_long_sequences_is_torchs(dtype):
    for arguments, options, shape in (
        ((16, 24, 9), {"padding": 4}, (9, 16, 700)),
        ((1, 16, 32), {"stride": 8}, (20, 1, 900)),
        ((32, 32, 3), {"padding": 2, "dilation": 2, "groups": 32}, (9, 32, 600)),
    ):
        layer = random_state(nn.Conv1d(*arguments, **options, dtype=dtype), 1)
        layer.weight.data /= 8
        check(layer, torch.nn.Conv1d(*arguments, **options), array(shape, dtype)).raise_if_different()


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"kernel_size": 3.0}, (1, 2, 6)),
        ({"stride": (1, 1)}, (1, 2, 6)),
        ({"padding": (1, 1)}, (1, 2, 6)),
        ({"kernel_size": (3, 3)}, (1, 2, 6)),
        ({"padding": -1}, (1, 2, 6)),
        ({"padding": "full"}, None),
        ({"padding": "same", "stride": 2}, None),
        ({"padding_mode": "symmetric"}, None),
        ({"dilation": 0}, (1, 2, 6)),
        ({"stride": 0}, (1, 2, 6)),
        ({"kernel_size": 0}, (1, 2, 6)),
        ({"kernel_size": 9}, (1, 2, 6)),
        ({"groups": 3}, None),
        ({}, (1, 3, 6)),
        ({}, (6,)),
        ({}, (1, 2, 6, 6)),
        ({}, (1, 2, 0)),
        ({"padding": 6, "padding_mode": "reflect"}, (1, 2, 6)),
        ({"padding": 7, "padding_mode": "circular"}, (1, 2, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_of_sequences_refuses_what_torch_refuses_in_the_same_kind(arguments, shape):
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3} | arguments
    assert "Conv1d: expected" in layer_refuses_as_torch("Conv1d", arguments, shape)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 2, "stride": 2, "dilation": 3, "padding_mode": "reflect"}, {"padding": "same"}]
)
def test_of_sequences_prints_as_torchs(options):
    assert repr(nn.Conv1d(2, 4, 3, **options)) == repr(torch.nn.Conv1d(2, 4, 3, **options))
