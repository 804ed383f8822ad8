"""ConvTranspose2d and ConvTranspose1d against PyTorch, and as a convolution's adjoint; options crossed with shapes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.refusals import layer_refuses_as_torch, refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.harness.threads import same_with_any_number_of_threads

AXES = {"ConvTranspose1d": 1, "ConvTranspose2d": 2}
names = st.sampled_from([*AXES])
numbers = st.lists(st.integers(0, 5), min_size=14, max_size=14)


def build(name, drawn, groups, bias, dtype="float64", seed=0):
    """Return both engines' layers and an image's size, made from any numbers from 0 to 5."""
    axes, drawn = AXES[name], iter(drawn)
    own = lambda least, most: tuple(least + next(drawn) % (most - least + 1) for _ in range(axes))  # noqa: E731
    options = {"kernel_size": own(1, 4), "stride": own(1, 3), "padding": own(0, 2), "dilation": own(1, 3)}
    limits = [max(pair) for pair in zip(options["stride"], options["dilation"], strict=True)]
    options["output_padding"] = tuple(next(drawn) % limit for limit in limits)
    channels = groups * (1 + next(drawn) % 3), groups * (1 + next(drawn) % 3)
    layer = random_state(getattr(nn, name)(*channels, **options, groups=groups, bias=bias, dtype=dtype), seed)
    return layer, getattr(torch.nn, name)(*channels, **options, groups=groups, bias=bias), own(1, 6)


@given(
    name=names,
    drawn=numbers,
    groups=st.sampled_from([1, 1, 2, 3]),
    bias=st.booleans(),
    batch=st.sampled_from([None, 0, 1, 3]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_is_torchs(name, drawn, groups, bias, batch, dtype, layout, seed):
    layer, torch_layer, image = build(name, drawn, groups, bias, dtype, seed)
    shape = (layer.in_channels, *image) if batch is None else (batch, layer.in_channels, *image)
    x = array(shape, dtype, seed=seed, layout=layout)
    try:
        with torch.no_grad():
            torch_layer(torch.zeros(shape))
    except RuntimeError:  # too much is cut off
        with pytest.raises(RuntimeError, match=f"{name}: expected an output of one pixel"):
            layer(x)
    else:
        check(layer, torch_layer, x, seed=seed).raise_if_different()


# Shapes that cover every way to spread the kernels, with several chunks of images for two threads.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("arguments", "options", "shape"),
    [
        ((24, 8, 4), {"stride": 2, "padding": 1}, (20, 24, 9, 14)),  # blocks
        ((24, 8, 4), {"stride": 2}, (20, 24, 9, 14)),
        ((24, 8, (4, 3)), {"stride": (2, 3), "output_padding": (1, 2)}, (20, 24, 9, 7)),
        ((32, 40, 3), {"padding": 1}, (9, 32, 13, 14)),  # Winograd's
        ((32, 40, 3), {"padding": (0, 2)}, (9, 32, 13, 14)),
        ((12, 16, 3), {"stride": 2, "padding": 1, "output_padding": 1}, (20, 12, 14, 13)),  # col2im
        ((16, 12, 5), {"padding": 2}, (20, 16, 15, 14)),  # the flipped kernel
        ((40, 1, 5), {"stride": 3}, (6, 40, 14, 15)),  # planes
        ((12, 8, 2), {"dilation": 3, "output_padding": 2}, (20, 12, 9, 11)),
        ((24, 24, 3), {"groups": 24, "stride": 2}, (20, 24, 9, 11)),
    ],
)
def test_is_torchs_at_the_shapes_of_networks(arguments, options, shape, dtype):
    layer = random_state(nn.ConvTranspose2d(*arguments, **options, dtype=dtype), 1)
    for parameter in layer.parameters():
        parameter.data /= 8
    x = array(shape, dtype, layout="channels-last")
    check(layer, torch.nn.ConvTranspose2d(*arguments, **options), x).raise_if_different()


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_output_size_replaces_output_padding(name, whole, batched):
    axes, options = AXES[name], {"kernel_size": 2, "stride": 3, "padding": 1, "output_padding": 1}
    layer = random_state(getattr(nn, name)(2, 4, **options, dtype=np.float64))
    reference = getattr(torch.nn, name)(2, 4, **options).double()
    reference.load_state_dict({key: torch.tensor(values) for key, values in layer.state_dict().items()})
    x = array((3, 2, 4, 5)[: 2 + axes] if batched else (2, 4, 5)[: 1 + axes])
    for size in ((9, 12), (10, 13), (11, 14)):
        size = size[:axes]
        asked = (*x.shape[:-axes], *size) if whole else size
        y = layer(x, output_size=asked)
        tensor = torch.tensor(x, requires_grad=True)
        expected = reference(tensor, output_size=asked)
        np.testing.assert_allclose(y, expected.detach(), rtol=1e-12, atol=1e-12)
        g = array(y.shape, seed=3)
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(layer.backward(g), tensor.grad, rtol=1e-12, atol=1e-12)
    for size, kind in (((8, 12), ValueError), ((12, 12), ValueError), ((9, 9, 9, 9, 9), ValueError), (9, TypeError)):
        asked = size[:axes] if isinstance(size, tuple) and len(size) == 2 else size
        said = refuses_as_torch(
            lambda: layer(x, output_size=asked),  # noqa: B023
            lambda: reference(torch.tensor(x), output_size=asked),  # noqa: B023
        )
        assert said.startswith(f"{name}: expected")
        with pytest.raises(kind):
            layer(x, output_size=asked)
    with pytest.raises(TypeError, match=f"{name}: expected output_size to be a sequence of integers"):
        layer(x, output_size=(9.0, 12.0)[:axes])


@given(name=names, drawn=numbers, groups=st.sampled_from([1, 2]), seed=seeds)
def test_is_the_adjoint_of_its_convolution(name, drawn, groups, seed):
    """<conv(y), x> = <y, conv_transpose(x)>, for one weight and all options that both have."""
    layer, _, image = build(name, drawn, groups, False, seed=seed)
    x = array((2, layer.in_channels, *image), seed=seed)
    smallest = layer._smallest(x)
    if min(smallest) < 1:
        return
    options = {name: getattr(layer, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups")}
    kind = nn.Conv2d if AXES[name] == 2 else nn.Conv1d
    conv = kind(layer.out_channels, layer.in_channels, **options, bias=False, dtype=np.float64)
    conv.weight.data = layer.weight.data
    y = array((2, layer.out_channels, *smallest), seed=seed + 1)
    spread = layer(x, output_size=smallest)
    gathered = conv(y)
    size = np.abs(x).sum() * max(np.abs(gathered).max(initial=0), 1)
    assert abs(np.vdot(gathered, x) - np.vdot(y, spread)) <= 1e-13 * size
    np.testing.assert_allclose(conv.backward(x), spread, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.backward(y), gathered, rtol=1e-12, atol=1e-12)


def test_a_sequence_is_an_image_of_one_row():
    one = random_state(nn.ConvTranspose1d(3, 4, 3, 2, 1, 1, dtype=np.float64))
    two = nn.ConvTranspose2d(3, 4, (1, 3), (1, 2), (0, 1), (0, 1), dtype=np.float64)
    two.weight.data, two.bias.data = one.weight.data[:, :, None], one.bias.data
    x, g = array((2, 3, 5)), array((2, 4, 10))
    np.testing.assert_array_equal(one(x), two(x[:, :, None])[:, :, 0])
    np.testing.assert_array_equal(one.backward(g), two.backward(g[:, :, None])[:, :, 0])
    np.testing.assert_array_equal(one.weight.grad, two.weight.grad[:, :, 0])


@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2, "output_padding": (1, 0), "groups": 2}])
def test_is_its_finite_differences(options):
    layer = random_state(nn.ConvTranspose2d(2, 4, (3, 2), **options, dtype=np.float64))
    check(layer, None, array((2, 2, 4, 3))).raise_if_different()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(3, 4), (32, 33)])
def test_special_values_are_torchs(value, channels):
    """In float64 only: PyTorch's float32 code leaves out the products with what was cut off, whose gradient is 0."""
    x = array((2, channels[0], 6, 5))
    x[1, 2, 3, 4] = value
    layer = random_state(nn.ConvTranspose2d(*channels, 3, padding=1, dtype=np.float64))
    check(layer, torch.nn.ConvTranspose2d(*channels, 3, padding=1), x).raise_if_different()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [(3, 4), (9, 5), (32, 33)])
def test_special_weights_are_torchs(value, channels):
    """They spoil the gradient of the input but not the weight's: the kernel computes both by tiles, or neither.

    Beyond an edge there is nothing, and in particular no zero that a weight could turn into NaN.
    """
    layer = random_state(nn.ConvTranspose2d(*channels, 3, padding=1, dtype=np.float64))
    layer.weight.data[1, 2, 1, 0] = value
    reference = torch.nn.ConvTranspose2d(*channels, 3, padding=1)
    check(layer, reference, array((2, channels[0], 6, 5))).raise_if_different()


@kernels_only
def test_results_do_not_depend_on_the_number_of_threads():
    layer = nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1)
    same_with_any_number_of_threads(layer, array((70, 16, 10, 10), "float32"))


@pytest.mark.parametrize("input_grad", [True, False])
@pytest.mark.parametrize("frozen", [("weight",), ("bias",), ("weight", "bias")])
@pytest.mark.parametrize("channels", [(3, 4), (32, 33)])
def test_what_nobody_reads_is_left_out(frozen, input_grad, channels):
    layer = random_state(nn.ConvTranspose2d(*channels, 3))
    x, g = array((2, channels[0], 5, 4), "float32"), array((2, channels[1], 7, 6), "float32")
    layer(x)
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


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"groups": 0}, None),
        ({"groups": 3}, None),
        ({"out_channels": 3, "groups": 2}, None),
        ({"padding_mode": "reflect"}, None),
        ({"padding_mode": "none"}, None),
        ({"kernel_size": 3.0}, None),
        ({"in_channels": -2}, None),
        ({"padding": "same"}, (1, 2, 6, 6)),
        ({"padding": -1}, (1, 2, 6, 6)),
        ({"padding": 1.5}, (1, 2, 6, 6)),
        ({"stride": 0}, (1, 2, 6, 6)),
        ({"dilation": 0}, (1, 2, 6, 6)),
        ({"kernel_size": 0}, (1, 2, 6, 6)),
        ({"output_padding": -1}, (1, 2, 6, 6)),
        ({"output_padding": 1}, (1, 2, 6, 6)),
        ({"output_padding": 2, "stride": 2}, (1, 2, 6, 6)),
        ({"output_padding": (0, 0, 0)}, (1, 2, 6, 6)),
        ({"padding": 4}, (1, 2, 6, 6)),
        ({"out_channels": 0}, (1, 2, 6, 6)),
        ({}, (1, 3, 6, 6)),
        ({}, (1, 1, 2, 6, 6)),
        ({}, (6,)),
        ({}, (1, 2, 0, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_refuses_what_torch_refuses_in_the_same_kind(name, arguments, shape):
    arguments = {"in_channels": 2, "out_channels": 4, "kernel_size": 3} | arguments
    if shape is not None and len(shape) == 4:
        shape = shape[: 2 + AXES[name]]
    assert name in layer_refuses_as_torch(name, arguments, shape)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_without_channels_there_is_nothing_to_spread():
    layer = nn.ConvTranspose2d(0, 2, 3)
    assert layer.weight.shape == torch.nn.ConvTranspose2d(0, 2, 3).weight.shape
    with pytest.raises(RuntimeError, match="in_channels of 1 or more"):
        layer(np.zeros((1, 0, 4, 4), np.float32))


@pytest.mark.parametrize(
    "options", [{}, {"padding": 2, "stride": 2, "dilation": 3, "output_padding": 1, "bias": False}, {"groups": 2}]
)
@pytest.mark.parametrize("name", AXES)
def test_prints_as_torchs(name, options):
    assert repr(getattr(nn, name)(2, 4, 3, **options)) == repr(getattr(torch.nn, name)(2, 4, 3, **options))
