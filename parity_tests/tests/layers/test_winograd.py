"""Winograd's convolution: PyTorch's numbers whatever the shape, and outputs that see nothing but their own patch."""

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
from scratch.kernels import memory, patch_plan, winograd
from scratch.kernels.padded_images import NO_SIDES
from scratch.kernels.patch_plan import PatchPlan

pytestmark = kernels_only

ONE_EACH = ((1, 1), (1, 1))


@pytest.fixture(autouse=True)
def _however_few_channels(monkeypatch):
    monkeypatch.setattr(patch_plan, "FEWEST_CHANNELS", 1)


@pytest.fixture
def no_patches(monkeypatch):
    """Fail at an im2col: what is computed must be Winograd's."""

    def im2col(*_):
        raise AssertionError("im2col was called")

    monkeypatch.setattr(PatchPlan, "im2col", im2col)


def plan_of(layer, image):
    """Return a layer's plan for images of a size."""
    options = layer.stride, layer.dilation, layer._sides, layer.padding_mode, layer.groups
    return PatchPlan(image, layer.weight.shape, *options)


def kernels(layer):
    """Return a layer's kernels as w' (9 C, O), transformed, and the latter transposed."""
    matrix = layer.weight.data.transpose(2, 3, 1, 0).reshape(-1, layer.out_channels)
    u = winograd.transform_kernels(matrix)
    return matrix, u, u.swapaxes(1, 2)


@pytest.mark.usefixtures("no_patches")
@given(
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.just("same")),
    bias=st.booleans(),
    batch=st.sampled_from([None, 0, 1, 3]),
    image=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_is_torchs(channels, padding, bias, batch, image, dtype, layout, seed):
    options = {"kernel_size": 3, "padding": padding, "bias": bias}
    layer = random_state(nn.Conv2d(*channels, **options, dtype=dtype), seed)
    shape = (channels[0], *image) if batch is None else (batch, channels[0], *image)
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, torch.nn.Conv2d(*channels, **options), x, seed=seed).raise_if_different()


@pytest.mark.usefixtures("no_patches")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("channels", "shape", "padding"), [((32, 64), (37, 32, 14, 14), 1), ((64, 48), (21, 64, 9, 12), 0)]
)
def test_is_torchs_in_several_chunks(channels, shape, padding, dtype):
    layer = random_state(nn.Conv2d(*channels, 3, padding=padding, dtype=dtype), 3)
    x = array(shape, dtype, layout="channels-last")
    check(layer, torch.nn.Conv2d(*channels, 3, padding=padding), x).raise_if_different()


@pytest.mark.usefixtures("no_patches")
def test_is_its_finite_differences():
    layer = random_state(nn.Conv2d(2, 3, 3, padding=(1, 0), dtype=np.float64))
    check(layer, None, array((2, 2, 4, 5))).raise_if_different()


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_no_output_and_no_gradient_knows_of_a_pixel_outside_its_patch(padding):
    layer = random_state(nn.Conv2d(2, 3, 3, padding=padding, dtype=np.float64))
    x = array((1, 2, 5, 6))
    matrix, u, u_back = kernels(layer)
    sides = ((padding, padding),) * 2
    y = layer(x)
    grad_y = array(y.shape, seed=1)
    for row, column in itertools.product(range(5), range(6)):
        spoilt = x.copy()
        spoilt[0, 1, row, column] = np.nan
        result = np.empty_like(y)
        assert not winograd.convolve(spoilt, u, layer.bias.data, sides, result)
        with torch.no_grad():
            expected = torch.nn.functional.conv2d(
                torch.from_numpy(spoilt), torch.from_numpy(layer.weight.data), padding=padding
            )
        np.testing.assert_array_equal(np.isnan(result), expected.isnan().numpy())
    for row, column in itertools.product(*map(range, y.shape[2:])):
        spoilt = grad_y.copy()
        spoilt[0, 1, row, column] = np.nan
        grad_x = np.empty_like(x)
        assert not winograd.convolve_backward(x, u_back, spoilt, sides, np.empty_like(matrix), np.empty(3), grad_x)
        expected = torch.nn.grad.conv2d_input(
            x.shape, torch.from_numpy(layer.weight.data), torch.from_numpy(spoilt), padding=padding
        )
        np.testing.assert_array_equal(np.isnan(grad_x), expected.isnan().numpy())


@pytest.mark.usefixtures("no_patches")
def test_where_a_patch_is_zero_the_output_is_the_bias_to_the_last_bit():
    layer = random_state(nn.Conv2d(3, 4, 3, padding=1))
    x = array((2, 3, 9, 8), "float32")
    x[:, :, 2:7, 3:] = 0
    y = layer(x)
    np.testing.assert_array_equal(y[:, :, 3:6, 4:], np.broadcast_to(layer.bias.data[:, None, None], (2, 4, 3, 4)))
    grad_y = array(y.shape, "float32")
    grad_y[:, :, 1:5, 2:7] = 0
    assert not layer.backward(grad_y)[:, :, 2:4, 3:6].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -3e38])
@pytest.mark.parametrize("where", ["x", "grad_y", "weight"])
def test_special_values_are_torchs(value, where):
    """An infinity that is subtracted from itself, or a sum beyond the largest number: then im2col takes over."""
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
    matrix, u, u_back = kernels(layer)
    y, grad_matrix, grad_bias = np.empty_like(grad_y), np.empty_like(matrix), np.empty(3, np.float32)
    for factor, trusted in ((1, True), (1e25, False)):
        large = (x * factor).astype("float32")
        assert winograd.convolve(large, u, None, NO_SIDES, y) is trusted
        for grad_x in (None, np.empty_like(x)):
            arguments = (large, u_back, grad_y, NO_SIDES, grad_matrix, grad_bias)
            assert winograd.convolve_backward(*arguments, grad_x) is trusted
    assert not winograd.convolve_backward(
        x, u_back * np.float32(1e25), grad_y, NO_SIDES, grad_matrix, grad_bias, np.empty_like(x)
    )


def test_numpys_buffer_is_left_as_it_was():
    layer = nn.Conv2d(2, 3, 3)
    before = np.getbufsize()
    layer.backward(layer(array((2, 2, 5, 4), "float32")))
    assert np.getbufsize() == before


def test_the_work_on_one_shape_is_prepared_once_for_each_thread(monkeypatch):
    made = []
    monkeypatch.setattr(winograd, "_Chunk", lambda *key, make=winograd._Chunk: made.append(key) or make(*key))
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
    monkeypatch.setattr(winograd, "MOST_KEPT_BYTES", winograd.image_bytes(2, 3, (4, 2), np.dtype("float32")))
    kept = []
    monkeypatch.setattr(memory, "kept", lambda key, make: kept.append(key) or make())
    layer = nn.Conv2d(2, 3, 3)
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
        ({"kernel_size": 6, "stride": 2}, False),
    ],
)
def test_is_for_three_by_three_kernels_of_many_channels(monkeypatch, options, tiled):
    monkeypatch.setattr(patch_plan, "FEWEST_CHANNELS", 32)
    layer = nn.Conv2d(**{"in_channels": 32, "out_channels": 32, "kernel_size": 3} | options)
    assert plan_of(layer, (12, 12)).tiled is tiled


def test_a_chunk_is_measured_by_its_tiles():
    # 3 x 2 tiles of 16 places, with 5 + 7 channels.
    assert winograd.image_bytes(5, 7, (5, 4), np.dtype("float32")) == 16 * 6 * 12 * 4
    plan = plan_of(nn.Conv2d(5, 7, 3), (7, 6))
    assert plan.image_bytes(np.dtype("float32")) == 16 * 6 * 12 * 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_keep_their_dtype(dtype):
    assert winograd.transform_kernels(array((18, 3), dtype)).dtype == dtype
