"""Winograd's convolution: PyTorch's numbers whatever the shape, and outputs that depend on their own patch only."""

import itertools
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from scratch.kernels import memory, patch_plan, winograd, winograd_chunk, winograd_tiles
from scratch.kernels.patch_plan import PatchPlan

pytestmark = kernels_only

strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
each_stride = pytest.mark.parametrize("stride", [1, 2])


each_kernel = pytest.mark.parametrize("strides_of_kernel", [2, 3])


@pytest.fixture(autouse=True)
def _however_few_channels(monkeypatch):
    monkeypatch.setattr(patch_plan, "FEWEST_CHANNELS", 1)


@pytest.fixture(autouse=True)
def _however_small_the_output(monkeypatch):
    monkeypatch.setattr(patch_plan, "MOST_PRODUCTS", 9)


@pytest.fixture
def no_patches(monkeypatch):
    """Make im2col and its adjoint fail, so that only Winograd's algorithm can have computed the result."""

    def fail(*_):
        raise AssertionError("patches were asked for")

    monkeypatch.setattr(PatchPlan, "im2col", fail)
    monkeypatch.setattr(PatchPlan, "undo", fail)


def plan_of(layer, image):
    """Return a layer's plan for images of this size."""
    options = layer.stride, layer.dilation, layer._sides, layer.padding_mode, layer.groups
    return PatchPlan(image, layer.weight.shape, *options)


def kernels(layer, image):
    """Return a layer's kernels as w' (kh kw C, O), transformed for images of a size, and the latter transposed."""
    plan = plan_of(layer, image)
    matrix = plan.as_matrix(layer.weight.data)[0]
    transformed = plan.form.transform_kernels(matrix)
    return matrix, transformed, transformed.transposed()


@pytest.mark.usefixtures("no_patches")
@each_kernel
@given(
    stride=strides,
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    bias=st.booleans(),
    batch=st.sampled_from([None, 0, 1, 3]),
    more=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_is_torchs(strides_of_kernel, stride, channels, padding, bias, batch, more, dtype, layout, seed):
    kernel = tuple(strides_of_kernel * s for s in stride)
    image = tuple(k + m for k, m in zip(kernel, more, strict=True))
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "bias": bias}
    layer = random_state(nn.Conv2d(*channels, **options, dtype=dtype), seed)
    shape = (channels[0], *image) if batch is None else (batch, channels[0], *image)
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, torch.nn.Conv2d(*channels, **options), x, seed=seed).raise_if_different()


@pytest.mark.usefixtures("no_patches")
@each_kernel
@given(
    stride=strides,
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    sides=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    bias=st.booleans(),
    image=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_transposed_is_torchs(strides_of_kernel, stride, channels, sides, bias, image, dtype, layout, seed):
    kernel = tuple(strides_of_kernel * s for s in stride)
    options = {"kernel_size": kernel, "stride": stride, "padding": sides, "bias": bias}
    layer = random_state(nn.ConvTranspose2d(*channels, **options, dtype=dtype), seed)
    x = array((2, channels[0], *image), dtype, seed=seed, layout=layout)
    check(layer, torch.nn.ConvTranspose2d(*channels, **options), x, seed=seed).raise_if_different()


def test_a_transposed_convolutions_backward_transforms_its_gradient_once(monkeypatch):
    calls = []
    transform = winograd_chunk.Chunk.transform
    monkeypatch.setattr(winograd_chunk.Chunk, "transform", lambda *args: calls.append(args) or transform(*args))
    layer = nn.ConvTranspose2d(2, 3, 4, stride=2)
    y = layer(array((3, 2, 5, 4), "float32"))
    assert not calls
    layer.backward(array(y.shape, "float32", seed=1))
    assert len(calls) == 1
    layer(array((3, 2, 5, 4), "float32"))
    layer.weight.requires_grad = False
    layer.backward(array(y.shape, "float32", seed=1))
    assert len(calls) == 2


@pytest.mark.usefixtures("no_patches")
@each_kernel
def test_pixels_that_no_patch_reaches_have_a_gradient_of_zero(strides_of_kernel):
    layer = random_state(nn.Conv2d(2, 3, 2 * strides_of_kernel, stride=2))
    for rows, columns in ((10, 12), (12, 6), (8, 14)):
        y = layer(array((3, 2, rows + 1, columns + 1), "float32"))
        grad_x = layer.backward(array(y.shape, "float32", seed=1))
        assert not grad_x[:, :, rows:].any()
        assert not grad_x[:, :, :, columns:].any()
        assert grad_x[:, :, :rows, :columns].all()


@pytest.mark.usefixtures("no_patches")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("channels", "shape", "options"),
    [
        ((32, 64), (37, 32, 14, 14), {"kernel_size": 3, "padding": 1}),
        ((64, 48), (21, 64, 9, 12), {"kernel_size": 3}),
        ((19, 48), (33, 19, 27, 24), {"kernel_size": 4, "stride": 2, "padding": 1}),
    ],
)
def test_is_torchs_in_several_chunks(channels, shape, options, dtype):
    layer = random_state(nn.Conv2d(*channels, **options, dtype=dtype), 3)
    x = array(shape, dtype, layout="channels-last")
    check(layer, torch.nn.Conv2d(*channels, **options), x).raise_if_different()


@pytest.mark.usefixtures("no_patches")
@each_kernel
@each_stride
def test_is_its_finite_differences(strides_of_kernel, stride):
    kernel = strides_of_kernel * stride
    layer = random_state(nn.Conv2d(2, 3, kernel, stride, padding=(1, 0), dtype=np.float64))
    check(layer, None, array((2, 2, 4, 3 + kernel))).raise_if_different()


@each_kernel
@each_stride
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_no_output_and_no_gradient_knows_of_a_pixel_outside_its_patch(strides_of_kernel, stride, padding):
    kernel = strides_of_kernel * stride
    layer = random_state(nn.Conv2d(2, 3, kernel, stride, padding=padding, dtype=np.float64))
    image = 2 + kernel, 4 + kernel
    x = array((1, 2, *image))
    matrix, transformed, transposed = kernels(layer, image)
    y = layer(x)
    grad_y = array(y.shape, seed=1)
    for row, column in itertools.product(*map(range, image)):
        spoilt = x.copy()
        spoilt[0, 1, row, column] = np.nan
        result = np.empty_like(y)
        assert not winograd.convolve(spoilt, transformed, layer.bias.data, result)
        with torch.no_grad():
            expected = torch.nn.functional.conv2d(
                torch.from_numpy(spoilt), torch.from_numpy(layer.weight.data), stride=stride, padding=padding
            )
        np.testing.assert_array_equal(np.isnan(result), expected.isnan().numpy())
    for row, column in itertools.product(*map(range, y.shape[2:])):
        spoilt = grad_y.copy()
        spoilt[0, 1, row, column] = np.nan
        grad_x = np.empty_like(x)
        assert not winograd.convolve_backward(x, transposed, spoilt, np.empty_like(matrix), np.empty(3), grad_x)
        expected = torch.nn.grad.conv2d_input(
            x.shape, torch.from_numpy(layer.weight.data), torch.from_numpy(spoilt), stride=stride, padding=padding
        )
        np.testing.assert_array_equal(np.isnan(grad_x), expected.isnan().numpy())


@pytest.mark.usefixtures("no_patches")
@pytest.mark.parametrize("k", [2, 3])
def test_where_a_patch_is_zero_the_output_is_the_bias_to_the_last_bit(k):
    layer = random_state(nn.Conv2d(3, 4, k, padding=1))
    x = array((2, 3, 9, 8), "float32")
    x[:, :, 2:7, 3:] = 0
    y = layer(x)
    of_zeros = y[:, :, 3 : 9 - k, 4:]
    np.testing.assert_array_equal(of_zeros, np.broadcast_to(layer.bias.data[:, None, None], of_zeros.shape))
    grad_y = array(y.shape, "float32")
    grad_y[:, :, 1:5, 2:7] = 0
    assert not layer.backward(grad_y)[:, :, k - 1 : 4, k:6].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -3e38])
@pytest.mark.parametrize("where", ["x", "grad_y", "weight"])
def test_special_values_are_torchs(value, where):
    """Where an infinity is subtracted from itself, or a sum overflows, im2col takes over."""
    padding = int(where != "weight")  # whether a weight of NaN makes NaN of zeros around an image is PyTorch's secret
    layer, torch_layer = nn.Conv2d(2, 3, 3, padding=padding), torch.nn.Conv2d(2, 3, 3, padding=padding)
    random_state(layer)
    x, grad_y = array((3, 2, 6, 5), "float32"), array((3, 3, 4 + 2 * padding, 3 + 2 * padding), "float32")
    {"x": x, "grad_y": grad_y, "weight": layer.weight.data}[where][1, 1, 2, 1] = value
    with torch.no_grad():
        for name, parameter in torch_layer.named_parameters():
            parameter.copy_(torch.from_numpy(getattr(layer, name).data))
    torch_x = torch.from_numpy(x).requires_grad_()
    torch_y = torch_layer(torch_x)
    torch_y.backward(torch.from_numpy(grad_y))
    pairs = [(layer(x), torch_y.detach()), (layer.backward(grad_y), torch_x.grad)]
    pairs += [(layer.weight.grad, torch_layer.weight.grad), (layer.bias.grad, torch_layer.bias.grad)]
    for ours, torchs in pairs:
        np.testing.assert_allclose(ours, torchs.numpy(), rtol=1e-4, atol=1e-4)


def test_says_whether_its_results_are_to_be_trusted():
    layer = random_state(nn.Conv2d(2, 3, 3))
    x, grad_y = array((2, 2, 5, 4), "float32"), array((2, 3, 3, 2), "float32")
    matrix, transformed, transposed = kernels(layer, x.shape[2:])
    y, grad_matrix, grad_bias = np.empty_like(grad_y), np.empty_like(matrix), np.empty(3, np.float32)
    for factor, trusted in ((1, True), (1e25, False)):
        large = (x * factor).astype("float32")
        assert winograd.convolve(large, transformed, None, y) is trusted
        for grad_x in (None, np.empty_like(x)):
            arguments = (large, transposed, grad_y, grad_matrix, grad_bias)
            assert winograd.convolve_backward(*arguments, grad_x) is trusted
    large = transposed._replace(u=transposed.u * np.float32(1e25))
    assert not winograd.convolve_backward(x, large, grad_y, grad_matrix, grad_bias, np.empty_like(x))


def test_numpys_buffer_is_left_as_it_was():
    layer = nn.Conv2d(2, 3, 3)
    before = np.getbufsize()
    layer.backward(layer(array((2, 2, 5, 4), "float32")))
    assert np.getbufsize() == before


def test_the_work_on_one_shape_is_prepared_once_for_each_thread(monkeypatch):
    made = []
    monkeypatch.setattr(winograd_chunk, "Chunk", lambda *key, make=winograd_chunk.Chunk: made.append(key) or make(*key))
    memory.clear()
    layer = nn.Conv2d(2, 3, 3)

    def use(shape):
        layer.zero_grad()
        layer.backward(layer(array(shape, "float32")))

    for shape in ((2, 2, 5, 4), (2, 2, 5, 4), (1, 2, 5, 4), (2, 2, 5, 4)):
        use(shape)
    assert len(made) == 2
    thread = threading.Thread(target=use, args=((2, 2, 5, 4),))
    thread.start()
    thread.join()
    assert len(made) == 3


def test_the_memory_of_a_large_image_is_not_kept(monkeypatch):
    layer = nn.Conv2d(2, 3, 3)
    most = plan_of(layer, (6, 4)).form.image_bytes(2, 3, np.dtype("float32"))
    monkeypatch.setattr(winograd_chunk, "MOST_KEPT_BYTES", most)
    kept = []
    monkeypatch.setattr(memory, "kept", lambda key, make: kept.append(key) or make())
    layer(array((1, 2, 6, 4), "float32"))
    assert len(kept) == 1
    layer(array((1, 2, 6, 5), "float32"))
    layer(array((2, 2, 6, 4), "float32"))
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("options", "tiled"),
    [
        ({}, True),
        ({"padding": 1}, True),
        ({"padding": 1, "padding_mode": "reflect"}, False),
        ({"padding_mode": "reflect"}, True),
        ({"kernel_size": (3, 2)}, False),
        ({"stride": (1, 2)}, False),
        ({"dilation": (2, 1)}, False),
        ({"groups": 32}, False),
        ({"in_channels": 31}, False),
        ({"out_channels": 31}, False),
        ({"kernel_size": 2}, True),
        ({"kernel_size": 4}, False),
        ({"kernel_size": 4, "stride": 2}, True),
        ({"kernel_size": 4, "stride": 2, "in_channels": 8}, True),
        ({"kernel_size": 4, "stride": 2, "in_channels": 7}, False),
        ({"kernel_size": 4, "stride": 2, "out_channels": 31}, False),
        ({"kernel_size": 4, "stride": 2, "padding": 1, "padding_mode": "circular"}, False),
        ({"kernel_size": 6, "stride": 2}, True),
        ({"kernel_size": (6, 4), "stride": 2}, False),
        ({"kernel_size": (2, 6), "stride": (1, 3)}, True),
    ],
)
def test_is_for_kernels_of_two_or_three_strides_and_many_channels(monkeypatch, options, tiled):
    monkeypatch.setattr(patch_plan, "FEWEST_CHANNELS", 32)
    layer = nn.Conv2d(**{"in_channels": 32, "out_channels": 32, "kernel_size": 3} | options)
    assert (plan_of(layer, (12, 12)).form is not None) is tiled


@pytest.mark.parametrize(
    ("kernel", "stride", "image", "tiled"),
    [
        (3, 1, 9, True),  # 4 x 4 tiles of 16 products each, instead of 7 x 7 outputs of 9 each: 256 of 441
        (3, 1, 5, False),  # 64 of 81
        (4, 2, 14, True),  # 81 of 144
        (4, 2, 20, False),  # 225 of 324
    ],
)
def test_tiles_that_reach_far_beyond_the_output_are_left_to_patches(monkeypatch, kernel, stride, image, tiled):
    monkeypatch.undo()
    layer = nn.Conv2d(32, 32, kernel, stride)
    assert (plan_of(layer, (image, image)).form is not None) is tiled


def test_a_chunk_is_measured_by_its_tiles():
    # 3 x 2 tiles of 16 places, with 5 + 7 channels.
    assert plan_of(nn.Conv2d(5, 7, 3), (7, 6)).image_bytes(np.dtype("float32")) == 16 * 6 * 12 * 4
    # As many tiles of 9 places, with 2 x 3 x 5 + 7 channels.
    assert plan_of(nn.Conv2d(5, 7, (4, 6), (2, 3)), (12, 15)).image_bytes(np.dtype("float32")) == 9 * 6 * 37 * 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_keep_their_dtype(dtype):
    assert plan_of(nn.Conv2d(2, 3, 3), (9, 9)).form.transform_kernels(array((18, 3), dtype)).u.dtype == dtype


@each_kernel
def test_kernels_are_transformed_along_both_axes(strides_of_kernel):
    tiles = winograd_tiles.OF_KERNEL[(strides_of_kernel,) * 2]
    kernel = array((strides_of_kernel,) * 2)
    np.testing.assert_allclose(tiles.both_ways @ kernel.ravel(), (tiles.g @ kernel @ tiles.g.T).ravel(), rtol=1e-14)
