"""Patches and tiles that a convolution's forward keeps for its backward: they change no result."""

import numpy as np
import pytest
import torch

import scratch
import scratch.nn as nn
from parity_tests.harness.arrays import array
from parity_tests.harness.compare import check
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.strategies import random_state
from scratch.kernels import conv_relu_pool, patch_plan, winograd_chunk
from scratch.kernels.patch_plan import PatchPlan

pytestmark = kernels_only

# How forward lays out what it multiplies: for each way the layers, and the shape of an input of several chunks.
WAYS = {
    "planes": (lambda: [nn.Conv2d(1, 16, 3, padding=1)], (60, 1, 29, 31)),
    "planes, groups": (lambda: [nn.Conv2d(6, 9, (3, 2), groups=3, bias=False)], (70, 6, 23, 37)),
    "rows": (lambda: [nn.Conv2d(7, 24, 5, stride=(2, 1))], (30, 7, 33, 21)),
    "blocks": (lambda: [nn.Conv2d(1, 24, 4, stride=2)], (90, 1, 46, 34)),
    "tiles": (lambda: [nn.Conv2d(16, 24, 3, padding=1)], (20, 16, 21, 18)),
    "tiles of blocks": (lambda: [nn.Conv2d(4, 24, 4, stride=2)], (70, 4, 34, 38)),
    "pooled": (lambda: [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2)], (60, 1, 28, 28)),
    "pooled tiles": (lambda: [nn.Conv2d(16, 24, 3), nn.ReLU(), nn.MaxPool2d(2)], (20, 16, 22, 18)),
}
each_way = pytest.mark.parametrize("way", WAYS)


def passes(way, x=None):
    """Run forward and backward; return the output, the input's gradient and the parameters'."""
    scratch.manual_seed(3)
    build, shape = WAYS[way]
    model = nn.Sequential(*build())
    x = array(shape, "float32") if x is None else x
    y = model(x)
    grad_x = model.backward(array(y.shape, "float32", seed=1))
    return y, grad_x, *[parameter.grad for parameter in model.parameters()]


@pytest.fixture
def layouts(monkeypatch):
    """List each time that patches or tiles are laid out."""
    made = []

    def listed(function):
        def call(*arguments, **options):
            made.append(function.__name__)
            return function(*arguments, **options)

        return call

    for owner, name in ((PatchPlan, "im2col"), (conv_relu_pool._Plan, "im2col"), (winograd_chunk.Chunk, "transform")):
        monkeypatch.setattr(owner, name, listed(getattr(owner, name)))
    return made


@each_way
@pytest.mark.parametrize("value", [0.5, np.inf, np.nan])
def test_not_a_bit_depends_on_what_was_kept(monkeypatch, way, value):
    x = array(WAYS[way][1], "float32")
    x[-1, 0, 5, 4] = value
    kept = passes(way, x.copy())
    monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", 0)
    for one, other in zip(kept, passes(way, x), strict=True):
        np.testing.assert_array_equal(one, other)


@each_way
def test_they_are_laid_out_once_where_they_are_few_and_else_again(monkeypatch, layouts, way):
    passes(way)
    once = len(layouts)
    assert once > 1
    monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", 0)
    passes(way)
    assert len(layouts) == 3 * once


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_are_counted_over_the_batch(monkeypatch, groups, dtype):
    dtype = np.dtype(dtype)
    patches = PatchPlan((7, 9), (4, 6 // groups, 3, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), "zeros", groups)
    tiles = PatchPlan((7, 8), (9, 8, 3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)), "zeros", 1)
    x = np.empty((5, 8, 7, 8), dtype)
    for plan, size in (
        (patches, patches.im2col(np.empty((5, 6, 7, 9), dtype)).nbytes),
        (tiles, tiles.form.empty_tiles(x).nbytes),
    ):
        monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", size)
        assert plan.keeps(5, dtype)
        assert not plan.keeps(6, dtype)
        monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", size - 1)
        assert not plan.keeps(5, dtype)


@pytest.mark.parametrize("channels", [1, 16])
def test_one_that_pools_counts_them_too_and_keeps_none_for_nobody(monkeypatch, channels):
    x, weight = array((5, channels, 8, 10), "float32"), array((9, channels, 3, 3), "float32")
    sides = ((0, 0), (0, 0))

    def kept(keep):
        return conv_relu_pool.conv2d_relu_max_pool2d(x, weight, 0.0, sides, keep)[1][-1]

    (found,) = kept(True)
    assert found is not None
    monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", found.nbytes)
    assert kept(True)[0] is not None
    assert kept(False) == [None]
    monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", found.nbytes - 1)
    assert kept(True) == [None]


@pytest.mark.parametrize("way", ["planes", "rows", "blocks"])
def test_the_input_is_not_kept_beside_them(monkeypatch, way):
    """It would be a copy, since the caller may write to it."""
    build, shape = WAYS[way]
    (layer,) = build()
    x = array(shape, "float32")
    layer(x)
    saved = layer._record[2]
    assert not any(isinstance(one, np.ndarray) for one in saved)
    monkeypatch.setattr(patch_plan, "MOST_PATCH_BYTES", 0)
    layer.eval()
    layer(x)
    (kept,) = [one for one in layer._record[2] if isinstance(one, np.ndarray)]
    np.testing.assert_array_equal(kept, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [0, 1, 7, 60])
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((1, 16, 3), {"padding": 1}),
        ((1, 1, (1, 3)), {"dilation": (1, 2)}),
        ((2, 8, 3), {"stride": (2, 1), "bias": False}),
        ((6, 9, (3, 2)), {"groups": 3}),
        ((4, 4, 3), {"groups": 4, "padding": 1, "padding_mode": "reflect"}),
    ],
)
def test_an_upstream_gradient_of_either_order_in_memory_gives_the_same(arguments, options, batch, dtype):
    """With planes, the gradients of few channels are read in the layout that they have, image by image."""
    layer = random_state(nn.Conv2d(*arguments, **options, dtype=np.dtype(dtype)), 1)
    x = array((batch, arguments[0], 19, 26), dtype)
    if batch:
        check(layer, torch.nn.Conv2d(*arguments, **options), x).raise_if_different()
    found = []
    for layout in ("C", "channels-last"):
        layer.zero_grad()
        y = layer(x)
        grad_x = layer.backward(array(y.shape, dtype, seed=2, layout=layout))
        found.append([grad_x, *[parameter.grad for parameter in layer.parameters()]])
    scale = 1e-12 if dtype == "float64" else 2e-5
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=scale, atol=scale * np.abs(other).max(initial=0))


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e38])
def test_image_by_image_a_special_value_goes_as_far_as_in_torch(value):
    layer = random_state(nn.Conv2d(1, 5, 3, padding=1), 1)
    theirs = torch.nn.Conv2d(1, 5, 3, padding=1)
    theirs.load_state_dict({name: torch.tensor(one) for name, one in layer.state_dict().items()})
    x = array((3, 1, 9, 11), "float32")
    grad_y = array((3, 5, 9, 11), "float32", seed=1)
    grad_y[1, 2, 4, 5] = value
    layer(x)
    grad_x = layer.backward(grad_y)
    x_torch = torch.tensor(x, requires_grad=True)
    theirs(x_torch).backward(torch.tensor(grad_y))
    pairs = [(grad_x, x_torch.grad), (layer.weight.grad, theirs.weight.grad), (layer.bias.grad, theirs.bias.grad)]
    for one, other in pairs:
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-4)
