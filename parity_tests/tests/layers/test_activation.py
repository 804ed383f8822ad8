"""The activations against PyTorch, finite differences, and what is known of them without either."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, lay_out, layouts, seeds, tied

slopes = st.sampled_from([0.01, 0.0, 0.3, 1.0, 2.5, -0.5])
options = {
    "ReLU": st.just({}),
    "LeakyReLU": st.fixed_dictionaries({}, optional={"negative_slope": slopes}),
    "ELU": st.fixed_dictionaries({}, optional={"alpha": st.sampled_from([1.0, 0.3, 2.5, 0.0, -0.5])}),
    "GELU": st.fixed_dictionaries({}, optional={"approximate": st.sampled_from(["none", "tanh"])}),
    "SiLU": st.just({}),
    "Softplus": st.fixed_dictionaries(
        {}, optional={"beta": st.sampled_from([0.5, 1.0, 3.0, -1.0]), "threshold": st.sampled_from([0.3, 2.0, 20.0])}
    ),
    "Sigmoid": st.just({}),
    "Tanh": st.just({}),
}
activations = st.sampled_from(sorted(options)).flatmap(lambda name: st.tuples(st.just(name), options[name]))
shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
each_activation = pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("ReLU", {}),
        ("LeakyReLU", {}),
        ("LeakyReLU", {"negative_slope": 0.0}),
        ("ELU", {}),
        ("GELU", {}),
        ("GELU", {"approximate": "tanh"}),
        ("SiLU", {}),
        ("Softplus", {}),
        ("Softplus", {"beta": 2.0, "threshold": 3.0}),
        ("Sigmoid", {}),
        ("Tanh", {}),
    ],
    ids=str,
)


def both(name, kwargs):
    return getattr(nn, name)(**kwargs), getattr(torch.nn, name)(**kwargs)


@given(
    activation=activations, shape=shapes, factor=st.sampled_from([1, 8, 60]), dtype=dtypes, layout=layouts, seed=seeds
)
def test_activation_is_torchs(activation, shape, factor, dtype, layout, seed):
    values = np.asarray(factor * array(shape, dtype, seed=seed))
    # Where a curve is flat, its slope is a difference of nearly equal numbers, and any two programs share hardly a
    # digit of it. One number on the bend sets the scale by which such differences are measured.
    values.reshape(-1)[:1] = 0.5
    x = lay_out(values, layout)
    check(*both(*activation), x, seed=seed).raise_if_different()


def gelu_with_tail(approximate):
    """Return GELU from PyTorch's functions that, unlike its own GELU, do not cancel for large negative inputs."""
    if approximate == "none":
        return lambda x: x * torch.erfc(-x / np.sqrt(2)) / 2
    return lambda x: x * torch.sigmoid(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


@given(
    approximate=st.sampled_from(["none", "tanh"]),
    shape=shapes,
    factor=st.sampled_from([3, 8]),
    dtype=dtypes,
    seed=seeds,
)
def test_gelus_tail_keeps_its_digits(approximate, shape, factor, dtype, seed):
    x = (factor * array(shape, "float64", seed=seed)).astype(dtype)
    check(nn.GELU(approximate), gelu_with_tail(approximate), np.asarray(x), seed=seed).raise_if_different()


@given(activation=activations, shape=shapes, dtype=dtypes, seed=seeds)
def test_kinks_are_torchs(activation, shape, dtype, seed):
    check(*both(*activation), tied(shape, dtype, seed=seed), seed=seed).raise_if_different()


@given(activation=activations, shape=shapes, seed=seeds)
def test_backward_is_the_derivative(activation, shape, seed):
    check(both(*activation)[0], None, array(shape, seed=seed), seed=seed).raise_if_different()


# Repeated to fill whole vector registers: PyTorch's scalar code treats some of these unlike its vector code.
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e4, -1e4, 19.0, 21.0, -90.0, -800.0, 1.0, -1.0]


def special(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    return np.array([*SPECIAL, tiny, -tiny, 1.5] * 4, dtype)


@each_activation
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(name, kwargs, dtype):
    x = special(dtype)
    if name == "ELU":
        x = x[~np.isnan(x)]  # the gradient at NaN depends on PyTorch's dtype and length
    if name == "GELU" and dtype == "float32":
        x = x[x != np.inf]  # PyTorch's float32 vector code gives NaN there, its float64 code infinity
    report = check(*both(name, kwargs), x)
    report.raise_if_different()
    if name in ("ReLU", "Tanh", "Sigmoid"):
        assert report["output"].zero_signs_agree


@each_activation
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_upstream_nan_and_infinity_are_torchs(name, kwargs, value):
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0] * 8)
    check(*both(name, kwargs), x, grad_output=np.full(x.shape, value)).raise_if_different()


@each_activation
def test_nan_stays_nan_and_large_inputs_stay_finite(name, kwargs):
    layer, _ = both(name, kwargs)
    for dtype in (np.float32, np.float64):
        y = layer(np.array([np.nan, 1e4, -1e4], dtype))
        assert np.isnan(y[0])
        assert np.isfinite(y[1:]).all()
        grad = layer.backward(np.ones(3, dtype))
        assert np.isfinite(grad[1:]).all()


@given(activation=activations, layout=layouts, seed=seeds)
def test_backward_is_linear(activation, layout, seed):
    layer, _ = both(*activation)
    shape = (2, 3, 4)
    layer(array(shape, seed=seed, layout=layout))
    g, h = array(shape, seed=seed + 1, layout=layout), array(shape, seed=seed + 2)
    with scratch.retain_graph():
        combined = layer.backward(2 * g - 3 * h)
        np.testing.assert_allclose(combined, 2 * layer.backward(g) - 3 * layer.backward(h), rtol=1e-13, atol=1e-13)


@given(activation=activations, layout=st.sampled_from(["C", "channels-last"]))
def test_results_lie_in_memory_as_the_input_does(activation, layout):
    layer, _ = both(*activation)
    x = array((2, 3, 4, 5), layout=layout)
    assert layer(x).strides == x.strides
    assert layer.backward(x).strides == x.strides


def test_softplus_above_torchs_overflow():
    layer = nn.Softplus(threshold=1e5)
    x = np.array([800.0, 1e4])
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer.backward(np.array([2.0, 3.0])), [2.0, 3.0])


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "ELU", "SiLU"])
def test_inplace_changes_nothing(name):
    """PyTorch overwrites its input; ``check`` looks whether the results agree and our input is unchanged."""
    layer, reference = getattr(nn, name)(inplace=True), getattr(torch.nn, name)()
    check(layer, reference, array((3, 5))).raise_if_different()
    x = array((3, 5))
    before = x.copy()
    np.testing.assert_array_equal(layer(x), getattr(nn, name)()(x))
    np.testing.assert_array_equal(x, before)


def test_bad_arguments():
    with pytest.raises(RuntimeError, match="GELU: expected approximate to be 'none' or 'tanh', got 'exact'"):
        nn.GELU("exact")
    for name in options:
        layer = getattr(nn, name)()
        with pytest.raises(TypeError, match=f"{name}: expected input to be a numpy.ndarray, got list"):
            layer([1.0])
        with pytest.raises(TypeError, match=f"{name}: expected input of dtype float32 or float64, got int64"):
            layer(np.arange(3))
        with pytest.raises(RuntimeError, match=f"{name}: backward was called before forward"):
            layer.backward(np.ones(3))
        layer(np.ones(3))
        with pytest.raises(RuntimeError, match=rf"{name}: expected grad_output of shape \(3,\)"):
            layer.backward(np.ones(1))
        with pytest.raises(RuntimeError, match=f"{name}: expected grad_output of dtype float64, got float32"):
            layer.backward(np.ones(3, np.float32))
