"""Activations beyond the classic ones: against PyTorch, and by their own laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.catalogue.activations import TorchHardsigmoid
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, lay_out, layouts, random_state, seeds, tied

options = {
    "Hardtanh": st.fixed_dictionaries(
        {}, optional={"min_val": st.sampled_from([-2.0, -0.3, 0.0]), "max_val": st.sampled_from([0.1, 1.0, 2.0])}
    ),
    "ReLU6": st.just({}),
    "Mish": st.just({}),
    "SELU": st.just({}),
    "CELU": st.fixed_dictionaries({}, optional={"alpha": st.sampled_from([1.0, 0.25, 2.5, -0.5])}),
    "LogSigmoid": st.just({}),
    "Softsign": st.just({}),
    "Hardswish": st.just({}),
    "Hardsigmoid": st.just({}),
}
activations = st.sampled_from(sorted(options)).flatmap(lambda name: st.tuples(st.just(name), options[name]))
shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
each_activation = pytest.mark.parametrize(
    ("name", "kwargs"),
    [*((name, {}) for name in options), ("Hardtanh", {"min_val": -0.5, "max_val": 0.3}), ("CELU", {"alpha": 2.5})],
    ids=str,
)
with_inplace = [name for name in (*options, "ReLU6") if name not in ("LogSigmoid", "Softsign")]


def both(name, kwargs):
    reference = TorchHardsigmoid() if name == "Hardsigmoid" else getattr(torch.nn, name)(**kwargs)
    return getattr(nn, name)(**kwargs), reference


@given(activation=activations, shape=shapes, factor=st.sampled_from([1, 8]), dtype=dtypes, layout=layouts, seed=seeds)
def test_activation_is_torchs(activation, shape, factor, dtype, layout, seed):
    values = np.asarray(factor * array(shape, dtype, seed=seed))
    values.reshape(-1)[:1] = (
        0.5  # as in test_activation.py: a number on the bend gives the scale of the others' rounding
    )
    check(*both(*activation), lay_out(values, layout), seed=seed).raise_if_different()


@given(activation=activations, shape=shapes, dtype=dtypes, seed=seeds)
def test_kinks_are_torchs(activation, shape, dtype, seed):
    check(*both(*activation), 2 * tied(shape, dtype, seed=seed), seed=seed).raise_if_different()


@given(activation=activations, shape=shapes, seed=seeds)
def test_backward_is_the_derivative(activation, shape, seed):
    check(both(*activation)[0], None, array(shape, seed=seed), seed=seed).raise_if_different()


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4, 6.0, -1.0, 19.0, 90.0, -90.0, 800.0, -800.0]
KINKS_AND_BEYOND = [-3.5, -3.0, -1.5, -1.0, 1.0, 1.5, 3.0, 3.5, 6.0, 6.5]


@each_activation
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(name, kwargs, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([*SPECIAL, tiny, -tiny] * 4, dtype)  # tiles of a whole vector register, as in test_activation.py
    if name in ("SELU", "CELU", "Hardtanh", "ReLU6", "Hardswish") and (dtype == "float32" or name.endswith("LU")):
        x = x[~np.isnan(x)]  # the gradient at NaN depends on PyTorch's dtype and length
    check(*both(name, kwargs), x).raise_if_different()


@each_activation
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_upstream_nan_and_infinity_are_torchs(name, kwargs, value):
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0] * 8)
    check(*both(name, kwargs), x, grad_output=np.full(x.shape, value)).raise_if_different()


@each_activation
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_at_the_kinks_and_just_beyond_are_torchs(name, kwargs, dtype):
    check(*both(name, kwargs), np.array(KINKS_AND_BEYOND * 4, dtype)).raise_if_different()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_hard_sigmoid_is_torchs_own_layer(dtype):
    """Its slope is a sixth; PyTorch's is that number in float32."""
    x = np.array([-4.0, -3.0, -2.9, 0.0, 1.5, 3.0, 5.0, np.nan, np.inf, -np.inf] * 4, dtype)
    layer, g = nn.Hardsigmoid(), array(x.shape, dtype)
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.Hardsigmoid()(tensor)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(layer(x), expected.detach().numpy(), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(layer.backward(g), tensor.grad.numpy(), rtol=2e-7)


def test_a_clipped_nan_stays_nan_and_has_no_gradient():
    for layer in (nn.Hardtanh(), nn.ReLU6()):
        assert np.isnan(layer(np.array([np.nan]))).all()
        np.testing.assert_array_equal(layer.backward(np.array([3.0])), [0.0])


@each_activation
def test_large_inputs_stay_finite(name, kwargs):
    layer, _ = both(name, kwargs)
    for dtype in (np.float32, np.float64):
        y = layer(np.array([np.nan, 1e30, -1e30], dtype))
        assert np.isnan(y[0])
        assert np.isfinite(y[1:]).all()
        assert np.isfinite(layer.backward(np.ones(3, dtype))[1:]).all()


@given(activation=activations, layout=st.sampled_from(["C", "channels-last"]))
def test_results_lie_in_memory_as_the_input_does(activation, layout):
    layer, _ = both(*activation)
    x = array((2, 3, 4, 5), layout=layout)
    assert layer(x).strides == x.strides
    assert layer.backward(x).strides == x.strides


@pytest.mark.parametrize("name", with_inplace)
def test_inplace_changes_nothing(name):
    layer, x = getattr(nn, name)(inplace=True), array((3, 5))
    check(layer, both(name, {})[1], x).raise_if_different()
    before = x.copy()
    np.testing.assert_array_equal(layer(x), getattr(nn, name)()(x))
    np.testing.assert_array_equal(x, before)


def test_a_logarithm_of_a_sigmoid_keeps_its_digits():
    layer = nn.LogSigmoid("ignored", as_in="torch")
    np.testing.assert_allclose(layer(np.array([-1e4, 40.0])), [-1e4, -np.exp(-40.0)], rtol=1e-15)
    np.testing.assert_allclose(layer.backward(np.array([2.0, 3.0])), [2.0, 3 * np.exp(-40.0)], rtol=1e-15)


def test_selu_keeps_mean_and_variance():
    """The fixed point: inputs of mean 0 and variance 1 have outputs of mean 0 and variance 1."""
    x = np.linspace(-12, 12, 200_001)
    weight = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    y = nn.SELU()(x)
    np.testing.assert_allclose([(weight * y).sum(), (weight * y**2).sum()], [0, 1], atol=1e-9)


def test_clipping_refuses_bounds_that_enclose_nothing():
    for low, high in ((1.0, 1.0), (2.0, 1.0), (1.0, np.nan)):
        with pytest.raises(ValueError, match=f"Hardtanh: expected max_val above min_val={low}, got {high}"):
            nn.Hardtanh(low, high)
    with pytest.raises(TypeError, match="min_value"):
        nn.Hardtanh(min_value=0.0)
    assert repr(nn.Hardtanh(-0.5, 3.0)) == "Hardtanh(min_val=-0.5, max_val=3.0)"
    assert repr(nn.ReLU6(inplace=True)) == "ReLU6()"


def test_celu_refuses_a_width_of_zero():
    x = np.ones(2)
    message = refuses_as_torch(lambda: nn.CELU(0.0)(x), lambda: torch.nn.CELU(0.0)(torch.tensor(x)))
    assert message == "CELU: expected alpha other than 0, got 0"
    assert repr(nn.CELU(0.5)) == "CELU(alpha=0.5)"


# PReLU.


@given(
    batch=st.integers(0, 3),
    channels=st.integers(1, 4),
    places=st.lists(st.integers(0, 3), max_size=3),
    shared=st.booleans(),
    ties=st.booleans(),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_prelu_is_torchs(batch, channels, places, shared, ties, dtype, layout, seed):
    x = (tied if ties else array)((batch, channels, *places), dtype, seed=seed, layout=layout)
    slopes = 1 if shared else channels
    layer = random_state(nn.PReLU(slopes, dtype=dtype), seed)
    check(layer, torch.nn.PReLU(slopes), x, seed=seed).raise_if_different()


@given(shape=shapes, seed=seeds)
def test_one_slope_takes_any_shape(shape, seed):
    check(random_state(nn.PReLU(dtype=np.float64)), torch.nn.PReLU(), array(shape, seed=seed)).raise_if_different()
    check(random_state(nn.PReLU(dtype=np.float64)), None, array(shape, seed=seed)).raise_if_different()


def test_prelu_starts_as_torchs():
    for arguments in ((), (3,), (2, -0.5)):
        layer, reference = nn.PReLU(*arguments), torch.nn.PReLU(*arguments)
        assert layer.weight.data.dtype == np.float32
        np.testing.assert_array_equal(layer.weight.data, reference.weight.detach().numpy())
        assert list(layer.state_dict()) == list(reference.state_dict())
        assert repr(layer) == repr(reference)
    layer.weight.data[...] = 7
    layer.reset_parameters()
    np.testing.assert_array_equal(layer.weight.data, [-0.5, -0.5])


def test_prelu_is_leaky_relu_with_its_slope():
    x, g = array((3, 2, 4)), array((3, 2, 4), seed=1)
    layer, leaky = nn.PReLU(2, init=0.3, dtype=np.float64), nn.LeakyReLU(0.3)
    np.testing.assert_array_equal(layer(x), leaky(x))
    np.testing.assert_array_equal(layer.backward(g), leaky.backward(g))


@pytest.mark.parametrize("shape", [(3,), (), (2, 4), (3, 2, 3)])
def test_prelu_refuses_other_channels(shape):
    layer, x = nn.PReLU(3, dtype=np.float64), np.ones(shape)
    reference = torch.nn.PReLU(3, dtype=torch.float64)
    message = refuses_as_torch(lambda: layer(x), lambda: reference(torch.tensor(x)))
    assert message == f"PReLU: expected input of shape (N, 3, ...), got {shape}"


def test_prelu_refuses_other_arguments():
    with pytest.raises(TypeError, match=r"PReLU: expected num_parameters to be an integer, got 2\.5"):
        nn.PReLU(2.5)
    with pytest.raises(TypeError, match="PReLU: expected dtype float32 or float64, got int64"):
        nn.PReLU(dtype=np.int64)
    with pytest.raises(RuntimeError, match="PReLU: expected input of dtype float32, got float64"):
        nn.PReLU()(np.ones(3))


# Softmin.


@given(
    shape=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    place=st.integers(0, 3),
    negative=st.booleans(),
    factor=st.sampled_from([1, 3, 1e4]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_softmin_is_torchs(shape, place, negative, factor, dtype, layout, seed):
    dim = place % max(len(shape), 1) - (max(len(shape), 1) if negative else 0)
    x = lay_out(np.asarray(factor * array(shape, seed=seed)).astype(dtype), layout)
    check(nn.Softmin(dim), torch.nn.Softmin(dim), x, seed=seed).raise_if_different()


def test_softmin_is_softmax_of_the_negated():
    x, g = array((3, 4)), array((3, 4), seed=1)
    softmin, softmax = nn.Softmin(1), nn.Softmax(1)
    np.testing.assert_array_equal(softmin(x), softmax(-x))
    np.testing.assert_allclose(softmin.backward(g), -softmax.backward(g), rtol=1e-12, atol=1e-15)
    assert softmin(np.ones((0, 3))).shape == (0, 3)
    assert nn.Softmin(1)(np.ones((3, 0))).shape == (3, 0)


def test_softmin_without_an_axis_warns_and_a_wrong_one_is_refused():
    with pytest.warns(UserWarning, match="Softmin: dim was not given; using 1"):
        nn.Softmin()(np.ones((2, 3)))
    with pytest.raises(IndexError, match=r"Softmin: expected dim within \[-2, 1\], got 2"):
        nn.Softmin(2)(np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"Softmin: expected dim to be an int or None, got 1\.5"):
        nn.Softmin(1.5)
    assert repr(nn.Softmin(1)) == "Softmin(dim=1)"
