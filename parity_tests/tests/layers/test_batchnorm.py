"""Batch normalization against PyTorch over several steps, its kernels against its plain functions, and its laws."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from parity_tests.harness.torch_releases import NORMALIZATION_HAS_BIAS
from scratch.kernels import batchnorm_images
from scratch.kernels import channel_sums as channels
from scratch.kernels.channel_sums import channel_sum

batches = st.integers(1, 6)
sides = st.lists(st.integers(1, 5), max_size=2)
shapes = st.tuples(batches, st.integers(1, 5), sides).map(lambda drawn: (*drawn[:2], *drawn[2]))
options = st.fixed_dictionaries(
    {},
    optional={
        "eps": st.sampled_from([1e-5, 1e-3, 0.5]),
        "momentum": st.sampled_from([None, 0.1, 0.0, 1.0, 0.7]),
        "affine": st.booleans(),
        "track_running_stats": st.booleans(),
        **({"bias": st.booleans()} if NORMALIZATION_HAS_BIAS else {}),
    },
)


def pair(shape, dtype="float64", **kwargs):
    name = "BatchNorm2d" if len(shape) == 4 else "BatchNorm1d"
    return getattr(nn, name)(shape[1], dtype=dtype, **kwargs), getattr(torch.nn, name)(shape[1], **kwargs)


def values_per_channel(shape):
    return int(np.prod(shape)) // shape[1]


def largest_scale(layer, x):
    """Return the largest weight / std, by which the input gradient is multiplied."""
    by_batch = layer.training or not layer.track_running_stats
    var = x.var(axis=tuple(axis for axis in range(x.ndim) if axis != 1)) if by_batch else layer.running_var
    return np.abs(layer.value("weight", absent=1.0) / np.sqrt(var + layer.eps)).max()


@given(shape=shapes, kwargs=options, training=st.booleans(), dtype=dtypes, layout=layouts, seed=seeds)
def test_batchnorm_is_torchs(shape, kwargs, training, dtype, layout, seed):
    layer, reference = pair(shape, dtype, **kwargs)
    random_state(layer, seed).train(training)
    # For two values see test_two_values_per_channel; for one, the refusals.
    assume(values_per_channel(shape) > 2 or not (training or not layer.track_running_stats))
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, reference, x, seed=seed).raise_if_different()


@given(shape=st.sampled_from([(2, 3), (1, 3, 2), (1, 3, 2, 1)]), seed=seeds)
def test_two_values_per_channel(shape, seed):
    """Two values always become -1 and 1, up to eps, so grad_input is what cancellation leaves of terms like w r g."""
    layer, reference = pair(shape)
    x, grad_output = array(shape, seed=seed), array(shape, seed=seed + 1)
    report = check(random_state(layer, seed), reference, x, grad_output=grad_output)
    terms = largest_scale(layer, x) * np.abs(grad_output).max()
    assert report["grad_input"].max_abs < 1e-14 * terms
    assert all(quantity.ok for quantity in report.quantities if not quantity.name.startswith("grad_input"))


@given(
    channels=st.integers(1, 4),
    kwargs=options,
    modes=st.lists(st.booleans(), min_size=2, max_size=6),
    ndim=st.sampled_from([2, 3, 4]),
    dtype=dtypes,
    seed=seeds,
)
def test_running_statistics_over_many_steps_are_torchs(channels, kwargs, modes, ndim, dtype, seed):
    """Run batches of different sizes, each in either mode, and compare the output and every buffer after each."""
    layer, reference = pair((1, channels, *(1,) * (ndim - 2)), dtype, **kwargs)
    reference.to(getattr(torch, dtype))
    rtol = 1e-12 if dtype == "float64" else 1e-5
    for step, training in enumerate(modes):
        layer.train(training)
        reference.train(training)
        x = array((2 + step, channels, *(3, 2)[: ndim - 2]), dtype, seed=seed + step) * (step + 1)
        y, expected = layer(x), reference(torch.from_numpy(x))
        np.testing.assert_allclose(y, expected.detach().numpy(), rtol=rtol, atol=rtol)
        state = reference.state_dict()
        assert list(layer.state_dict()) == list(state)
        for key, values in layer.state_dict().items():
            np.testing.assert_allclose(values, state[key].numpy(), rtol=rtol, atol=rtol, err_msg=key)
            assert values.dtype == state[key].numpy().dtype


def test_without_momentum_every_batch_counts_alike():
    layer, batches = nn.BatchNorm1d(1, momentum=None, dtype=np.float64), [[1.0, 3.0], [10.0, 10.0], [-5.0, 11.0]]
    for batch in batches:
        layer(np.array(batch)[:, None])
    np.testing.assert_allclose(layer.running_mean, np.mean(batches), rtol=1e-14)
    np.testing.assert_allclose(layer.running_var, np.mean(np.var(batches, axis=1, ddof=1)), rtol=1e-14)


@given(shape=shapes, kwargs=options, training=st.booleans(), layout=layouts, seed=seeds)
def test_kernels_and_plain_functions_agree(shape, kwargs, training, layout, seed):
    assume(values_per_channel(shape) > 1 or not (training or not kwargs.get("track_running_stats", True)))
    x, grad_output = array(shape, seed=seed, layout=layout), array(shape, seed=seed + 1)
    found = []
    for is_plain in (False, True):
        with scratch.plain(is_plain):
            layer, _ = pair(shape, **kwargs)
            random_state(layer, seed).train(training)
            found.append([layer(x), layer.backward(grad_output), *(p.grad for p in layer.parameters())])
    scale = 1 + largest_scale(layer, x)
    for fast, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-10, atol=1e-11 * scale)
    for name, values in layer.state_dict().items():
        np.testing.assert_array_equal(np.isnan(values), False, err_msg=name)


@given(shape=shapes, kwargs=options, training=st.booleans(), seed=seeds)
def test_backward_is_the_derivative(shape, kwargs, training, seed):
    layer, _ = pair(shape, **{**kwargs, "eps": 0.5})
    random_state(layer, seed).train(training)
    assume(values_per_channel(shape) > 1 or not (training or not layer.track_running_stats))
    check(layer, None, array(shape, seed=seed), seed=seed).raise_if_different()


@given(shape=shapes, layout=layouts, seed=seeds)
def test_input_gradient_knows_nothing_of_moving_and_stretching(shape, layout, seed):
    assume(values_per_channel(shape) > 2)
    layer, _ = pair(shape, eps=1e-12)
    random_state(layer, seed)
    x = array(shape, seed=seed, layout=layout)
    layer(x)
    grad_x = layer.backward(array(shape, seed=seed + 1))
    scale = largest_scale(layer, x) * values_per_channel(shape)
    np.testing.assert_allclose(channel_sum(grad_x), 0, atol=1e-12 * scale)
    np.testing.assert_allclose(channel_sum(grad_x * x), 0, atol=1e-9 * scale)


@given(shape=shapes, kwargs=options, training=st.booleans(), layout=layouts, seed=seeds)
def test_backward_is_linear(shape, kwargs, training, layout, seed):
    layer, _ = pair(shape, **kwargs)
    random_state(layer, seed).train(training)
    assume(values_per_channel(shape) > 1 or not (training or not layer.track_running_stats))
    x = array(shape, seed=seed)
    layer(x)
    g, h = array(shape, seed=seed + 1, layout=layout), array(shape, seed=seed + 2)
    with scratch.retain_graph():
        combined, one, other = (layer.backward(grad) for grad in (2 * g - 3 * h, g, h))
    np.testing.assert_allclose(combined, 2 * one - 3 * other, rtol=1e-11, atol=1e-11 * largest_scale(layer, x))


@given(shape=shapes, layout=layouts, seed=seeds)
def test_channel_sum(shape, layout, seed):
    x = array(shape, seed=seed, layout=layout)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    np.testing.assert_allclose(channel_sum(x), x.sum(axis=axes), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [1, 2, channels.MANY_ROWS, channels.MANY_ROWS + 1, 3 * channels.MANY_ROWS - 1])
def test_sums_and_means_over_many_rows(rows, dtype):
    x = array((rows, 3), dtype)
    total, mean = channel_sum(x), channels.channel_mean(x)
    assert total.dtype == mean.dtype == channel_sum(x.reshape(rows, 3, 1)).dtype == dtype
    exact = x.astype(np.float64).sum(axis=0)
    allowed = channels.MANY_ROWS * np.finfo(dtype).eps * np.abs(x).sum(axis=0)
    assert (np.abs(total - exact) <= allowed).all()
    assert (np.abs(mean - exact / rows) <= allowed / rows).all()


def test_the_ones_that_sums_share_are_not_to_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        channels.ones(3, np.dtype(np.float64))[0] = 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(20_000, 3), (500, 3, 9, 11)])
def test_large_batch_far_from_zero(shape, dtype):
    """The mean is 100 deviations: a variance taken as mean of squares minus square of mean would be lost."""
    layer, _ = pair(shape, dtype, affine=False)
    values = 100 + np.random.default_rng(0).normal(size=shape)
    y = layer(values.astype(dtype))
    exact = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    with scratch.plain():
        expected = exact(3, affine=False, dtype=np.float64)(values.astype(dtype).astype("float64"))
    # the mean is rounded to its dtype, and a sum of n terms costs sqrt(n) roundings
    allowed = 100 * np.finfo(dtype).eps * np.sqrt(values_per_channel(shape)) / 8
    np.testing.assert_allclose(y, expected, atol=allowed)


@pytest.mark.parametrize("layout", ["C", "channels-last"])
def test_results_of_the_kernels_lie_in_memory_as_the_input_does(layout):
    layer, _ = pair((2, 3, 4, 5))
    x = array((2, 3, 4, 5), layout=layout)
    with scratch.plain(False):
        assert layer(x).strides == x.strides
    assert layer.backward(x).strides == x.strides


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kwargs", [{}, {"affine": False}, {"momentum": None}, {"track_running_stats": False}], ids=str)
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2), (2, 3, 0), (0, 3, 2, 2), (2, 3, 0, 4)], ids=str)
def test_empty_batch_is_torchs(shape, kwargs, training):
    layer, reference = pair(shape, **kwargs)
    layer.train(training)
    check(layer, reference, np.empty(shape)).raise_if_different()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0, 1e-310, 1e4, -1e4])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(value, training, dtype):
    x = array((4, 3), dtype)
    x[1, 1] = value
    layer, reference = pair(x.shape, dtype)
    check(random_state(layer).train(training), reference, x).raise_if_different()


@pytest.mark.parametrize("training", [True, False])
def test_constant_channel_is_torchs(training):
    x = array((4, 3))
    x[:, 1] = 0.7
    layer, reference = pair(x.shape)
    check(random_state(layer).train(training), reference, x).raise_if_different()


def test_evaluation_without_variance_and_eps_divides_by_zero_without_a_warning():
    # PyTorch computes w mean / std separately from w x / std, and has NaN throughout.
    layer = nn.BatchNorm1d(1, eps=0.0).eval()
    layer.running_var[:] = 0
    x = np.array([[-1.0], [0.0], [2.0]], np.float32)
    np.testing.assert_array_equal(layer(x), np.array([[-np.inf], [np.nan], [np.inf]], np.float32))


REFUSED = [
    # constructor's arguments, shape, training
    ((3,), (1, 3), True),
    ((3,), (1, 3, 1), True),
    ((3, 1e-5, 0.1, True, False), (1, 3), False),
    ((3,), (3,), True),
    ((3,), (2, 3, 4, 5), True),
    ((3,), (2, 4), True),
    ((3,), (2, 4), False),
    ((3, 1e-5, 0.1, True, False), (2, 4), True),
    ((-1,), (2, 1), True),
    ((2.0,), (2, 2), True),
    (("2",), (2, 2), True),
]


@pytest.mark.parametrize(("args", "shape", "training"), REFUSED, ids=str)
def test_what_torch_refuses_is_refused(args, shape, training):
    with pytest.raises(Exception) as theirs:  # noqa: PT011 (the kind is what we are after)
        torch.nn.BatchNorm1d(*args).train(training)(torch.ones(shape))
    with pytest.raises(theirs.type, match=r"^BatchNorm1d: expected"):
        nn.BatchNorm1d(*args).train(training)(np.ones(shape, np.float32))


def test_other_refusals():
    with pytest.raises(ValueError, match=r"BatchNorm2d: expected 4D input, got shape \(2, 3\)"):
        nn.BatchNorm2d(3)(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"BatchNorm1d: expected 2D or 3D input, got shape \(3,\)"):
        nn.BatchNorm1d(3)(np.ones(3, np.float32))
    with pytest.raises(RuntimeError, match="BatchNorm1d: expected input of dtype float32, got float64"):
        nn.BatchNorm1d(3, affine=False)(np.ones((2, 3)))
    with pytest.raises(ValueError, match="BatchNorm1d: expected eps to be positive"):
        nn.BatchNorm1d(3, eps=0.0)(np.ones((2, 3), np.float32))
    with pytest.raises(RuntimeError, match="BatchNorm1d: expected input of dtype float32, got float64"):
        nn.BatchNorm1d(3)(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match="BatchNorm1d: expected 3 channels"):
        nn.BatchNorm1d(3, affine=False, track_running_stats=False)(np.ones((2, 4)))
    with pytest.raises(TypeError, match="BatchNorm1d: expected dtype float32 or float64, got float16"):
        nn.BatchNorm1d(3, dtype=np.float16)
    layer = nn.BatchNorm1d(3)
    with pytest.raises(RuntimeError, match="BatchNorm1d: backward was called before forward"):
        layer.backward(np.ones((2, 3), np.float32))
    layer(np.ones((2, 3), np.float32))
    with pytest.raises(RuntimeError, match=r"BatchNorm1d: expected grad_output of shape \(2, 3\)"):
        layer.backward(np.ones((3,), np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_are_of_the_layers_dtype(dtype):
    assert [parameter.dtype for parameter in nn.BatchNorm1d(3, dtype=dtype).parameters()] == [dtype, dtype]
    assert nn.BatchNorm1d(3).eps == torch.nn.BatchNorm1d(3).eps
    assert "bias=True" in repr(nn.BatchNorm1d(3))
    assert "bias=False" in repr(nn.BatchNorm1d(3, bias=False))
    assert nn.BatchNorm1d(0).weight.shape == tuple(torch.nn.BatchNorm1d(0).weight.shape)


def test_without_numbers_the_input_decides_the_dtype():
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False)
    for dtype in (np.float32, np.float64):
        assert layer(array((4, 3), dtype)).dtype == dtype


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = nn.BatchNorm1d(2)
        layer(np.array([[np.inf, 1], [3e38, -3e38]], np.float32))
        layer.backward(np.array([[np.inf, 1], [3e38, -3e38]], np.float32))


@pytest.mark.parametrize("options", [{}, {"track_running_stats": False}, {"affine": False}])
def test_refuses_another_dtype_than_its_numbers(options):
    with pytest.raises(RuntimeError, match="expected input of dtype float32, got float64"):
        nn.BatchNorm1d(3, **options)(array((4, 3), dtype=np.float64))


@pytest.mark.parametrize("layout", ["C", "channels-last"])
@pytest.mark.parametrize(("images", "written_out"), [(3, True), (2, False)])
def test_a_channels_number_is_written_out_for_each_place_of_several_small_images(layout, images, written_out):
    x, values = array((images, 5, 3, 4), layout=layout), array((5,), seed=1)
    of = batchnorm_images.Images(x)
    spread = of.spread(values)
    assert (spread.shape == of.lines[1:]) == written_out
    np.testing.assert_array_equal(of.stand(of.lay(x) * spread), x * values[:, None, None])
