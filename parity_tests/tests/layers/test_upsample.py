"""Upsample against PyTorch: which pixels are the nearest, how four are mixed, at every size and factor."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.refusals import layer_refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch.nn.upsample import nearest

sizes = st.one_of(st.integers(1, 12), st.tuples(st.integers(1, 12), st.integers(1, 12)))
factors = st.one_of(st.sampled_from([1, 2, 3, 0.5, 1.5]), st.floats(0.3, 4))
images = st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8))
modes = st.sampled_from([{"mode": "nearest"}, *({"mode": "bilinear", "align_corners": a} for a in (None, False, True))])


@given(size=sizes, mode=modes, batch=st.sampled_from([0, 1, 3]), image=images, dtype=dtypes, layout=layouts, seed=seeds)
def test_to_a_size_is_torchs(size, mode, batch, image, dtype, layout, seed):
    x = array((batch, *image), dtype, seed=seed, layout=layout)
    check(nn.Upsample(size, **mode), torch.nn.Upsample(size, **mode), x, seed=seed).raise_if_different()


@given(
    factor=st.one_of(factors, st.tuples(factors, factors)),
    recompute=st.sampled_from([None, False, True]),
    mode=modes,
    batch=st.sampled_from([0, 1, 3]),
    image=images,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_by_a_factor_is_torchs(factor, recompute, mode, batch, image, dtype, layout, seed):
    options = {"scale_factor": factor, "recompute_scale_factor": recompute, **mode}
    both = factor if isinstance(factor, tuple) else (factor, factor)
    assume(all(int(length * one) > 0 for length, one in zip(image[1:], both, strict=True)))
    x = array((batch, *image), dtype, seed=seed, layout=layout)
    check(nn.Upsample(**options), torch.nn.Upsample(**options), x, seed=seed).raise_if_different()


def test_the_nearest_pixels_are_torchs_at_every_size():
    """Where step times place is nearly an integer, rounding decides; it is float32's, whatever the dtype."""
    for length in range(1, 30):
        x = np.arange(float(length)).reshape(1, 1, 1, length)
        for count in range(1, 90):
            expected = torch.nn.Upsample(size=(1, count))(torch.tensor(x))
            np.testing.assert_array_equal(nn.Upsample(size=(1, count))(x), expected)


@pytest.mark.parametrize("factor", [1.1, 1.7, 2.05, 2.3, 0.99])
def test_the_nearest_pixels_by_a_broken_factor(factor):
    """If the output has as many pixels, or twice as many, PyTorch uses the ratio of the sizes, not the factor."""
    for length in range(2, 25):
        x = np.arange(float(length)).reshape(1, 1, 1, length)
        options = {"scale_factor": (1.0, factor)}
        expected = torch.nn.Upsample(**options)(torch.tensor(x))
        np.testing.assert_array_equal(nn.Upsample(**options)(x), expected)


@given(count=st.integers(1, 50), step=st.floats(0, 3), length=st.integers(1, 9))
def test_no_pixel_is_read_beyond_the_last(count, step, length):
    """In float32 the last of many pixels may land at the end of the image, where there is no pixel."""
    places = nearest(count, step, length)
    assert 0 <= places.min() <= places.max() < length


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 1)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_an_output_of_a_single_pixel(size, align_corners):
    options = {"size": size, "mode": "bilinear", "align_corners": align_corners}
    check(nn.Upsample(**options), torch.nn.Upsample(**options), array((2, 3, 4, 5))).raise_if_different()


def test_a_slope_stays_a_slope():
    """Mixtures of a straight line's pixels lie on the line and, with align_corners, reach its ends."""
    x = np.linspace(0, 1, 5).reshape(1, 1, 1, 5) + np.linspace(0, 2, 3)[:, None]
    y = nn.Upsample(size=(5, 13), mode="bilinear", align_corners=True)(x)
    np.testing.assert_allclose(y[0, 0], np.linspace(0, 1, 13) + np.linspace(0, 2, 5)[:, None], atol=1e-15)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(7, 11), (2, 3), (5, 4)])
def test_is_its_finite_differences_and_adjoint(mode, size):
    layer = nn.Upsample(size, mode=mode)
    v = array((2, 2, 5, 4))
    check(layer, None, v).raise_if_different()
    y = layer(v)
    g = array(y.shape, seed=1)
    np.testing.assert_allclose(np.vdot(layer.backward(g), v), np.vdot(g, y), rtol=1e-13)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values_are_torchs(mode, value):
    x = array((2, 3, 4, 5))
    x[1, 2, 1, 3] = value
    for size in ((9, 7), (3, 2)):
        check(nn.Upsample(size, mode=mode), torch.nn.Upsample(size, mode=mode), x).raise_if_different()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_upstream_gradients_are_torchs(mode, value):
    x = array((2, 3, 4, 5))
    for size in ((8, 10), (9, 7), (3, 2)):
        g = array((2, 3, *size), seed=1)
        g[1, 2, 1, 1] = value
        ours, torchs = nn.Upsample(size, mode=mode), torch.nn.Upsample(size, mode=mode)
        check(ours, torchs, x, grad_output=g).raise_if_different()


@kernels_only
def test_layout_is_kept():
    x = array((2, 3, 4, 6), layout="channels-last")
    for mode in ("nearest", "bilinear"):
        layer = nn.Upsample(scale_factor=2, mode=mode)
        y = layer(x)
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous
        assert layer.backward(y).transpose(0, 2, 3, 1).flags.c_contiguous
        assert layer(np.ascontiguousarray(x)).flags.c_contiguous


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (1, 2, 3, 4)),
        ({"size": 4, "scale_factor": 2}, (1, 2, 3, 4)),
        ({"size": (4,)}, (1, 2, 3, 4)),
        ({"size": (4, 5, 6)}, (1, 2, 3, 4)),
        ({"size": 0}, (1, 2, 3, 4)),
        ({"size": -1}, (1, 2, 3, 4)),
        ({"size": 2.5}, (1, 2, 3, 4)),
        ({"size": (2.0, 3)}, (1, 2, 3, 4)),
        ({"size": 4, "recompute_scale_factor": True}, (1, 2, 3, 4)),
        ({"scale_factor": (2,)}, (1, 2, 3, 4)),
        ({"scale_factor": 0.1}, (1, 2, 3, 4)),
        ({"scale_factor": -1.0}, (1, 2, 3, 4)),
        ({"scale_factor": 0}, (1, 2, 3, 4)),
        ({"scale_factor": "a"}, (1, 2, 3, 4)),
        ({"scale_factor": [2.0, 3.0]}, (1, 2, 3, 4)),
        ({"scale_factor": 2, "mode": "cubic"}, (1, 2, 3, 4)),
        ({"scale_factor": 2, "mode": "linear"}, (1, 2, 3, 4)),
        ({"scale_factor": 2, "align_corners": True}, (1, 2, 3, 4)),
        ({"scale_factor": 2, "align_corners": False}, (1, 2, 3, 4)),
        ({"scale_factor": 2}, (3, 4)),
        ({"scale_factor": 2, "mode": "bilinear"}, (2, 3, 4)),
        ({"scale_factor": 2, "mode": "bilinear"}, (1, 1, 2, 3, 4)),
        ({"scale_factor": 2}, (2, 0, 3, 4)),
        ({"scale_factor": 2}, (2, 2, 0, 4)),
        ({"size": 5}, (2, 2, 3, 0)),
    ],
)
def test_refuses_what_torch_refuses_in_the_same_kind(options, shape):
    layer_refuses_as_torch("Upsample", options, shape)


@pytest.mark.parametrize("options", [{"scale_factor": 2, "mode": "bicubic"}, {"size": 3, "mode": "area"}])
def test_other_modes_are_refused_by_name(options):
    with pytest.raises(NotImplementedError, match=f"expected mode 'nearest' or 'bilinear', got '{options['mode']}'"):
        nn.Upsample(**options)


def test_sequences_are_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"Upsample: expected input of shape \(N, C, H, W\), got \(2, 3, 4\)"):
        nn.Upsample(scale_factor=2)(np.zeros((2, 3, 4)))


@pytest.mark.parametrize(
    "options", [{"size": 3}, {"size": (2, 3)}, {"scale_factor": 2}, {"scale_factor": (2, 1.5), "mode": "bilinear"}]
)
def test_prints_as_torchs(options):
    assert repr(nn.Upsample(**options)) == repr(torch.nn.Upsample(**options))
