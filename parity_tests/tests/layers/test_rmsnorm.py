"""RMSNorm against PyTorch, finite differences, and its laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, random_state, seeds
from scratch.nn.rmsnorm import rms_norm, rms_norm_backward


@st.composite
def rms_norms(draw):
    """Return the input's shape and RMSNorm's arguments."""
    leading = draw(st.lists(st.integers(0, 4), max_size=2))
    normalized = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    argument = normalized[0] if len(normalized) == 1 and draw(st.booleans()) else normalized
    options = {"eps": st.sampled_from([None, 1e-5, 1e-3, 0.5]), "elementwise_affine": st.booleans()}
    return (*leading, *normalized), argument, draw(st.fixed_dictionaries({}, optional=options))


@given(case=rms_norms(), dtype=dtypes, layout=layouts, seed=seeds)
def test_rmsnorm_is_torchs(case, dtype, layout, seed):
    shape, normalized_shape, kwargs = case
    if np.prod(shape[-len(np.atleast_1d(normalized_shape)) :]) == 1:
        kwargs = {**kwargs, "eps": 0.5}  # see test_rows_of_one_number
    layer = random_state(nn.RMSNorm(normalized_shape, dtype=dtype, **kwargs), seed)
    x = array(shape, dtype, seed=seed, layout=layout)
    check(layer, torch.nn.RMSNorm(normalized_shape, **kwargs), x, seed=seed).raise_if_different()


@given(case=rms_norms(), seed=seeds)
def test_backward_is_the_derivative(case, seed):
    shape, normalized_shape, kwargs = case
    layer = random_state(nn.RMSNorm(normalized_shape, dtype=np.float64, **kwargs), seed)
    check(layer, None, array(shape, seed=seed), seed=seed).raise_if_different()


def test_rows_of_one_number():
    """A number's root mean square is its size: the output is its sign, and the gradient is 0 up to eps."""
    layer = nn.RMSNorm(1, dtype=np.float64)
    x = array((5, 1))
    np.testing.assert_allclose(layer(x), np.sign(x), rtol=1e-12)
    np.testing.assert_allclose(layer.backward(array((5, 1), seed=1)), np.zeros((5, 1)), atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eps_of_none_is_the_epsilon_of_the_dtype(dtype):
    """The input is so tiny that eps alone decides the divisor, with and without a weight of the layer's."""
    x = np.full((2, 3), 1e-30, dtype)
    expected = x / np.sqrt(np.finfo(dtype).eps)
    np.testing.assert_allclose(nn.RMSNorm(3, dtype=dtype)(x), expected, rtol=1e-6)
    np.testing.assert_allclose(nn.RMSNorm(3, elementwise_affine=False)(x), expected, rtol=1e-6)


def test_a_row_far_from_zero_is_nearly_all_ones():
    """The mean is not subtracted, unlike in LayerNorm, whose outputs would be the magnified differences."""
    x = 1e4 + array((3, 7))
    np.testing.assert_allclose(nn.RMSNorm(7, dtype=np.float64)(x), np.ones((3, 7)), rtol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e200])
def test_special_values_are_torchs(value):
    x = array((4, 3))
    x[1, 2] = value
    x[2] = value
    layer = nn.RMSNorm(3, dtype=np.float64)
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.RMSNorm(3, dtype=torch.float64)(tensor)
    np.testing.assert_allclose(layer(x), expected.detach().numpy(), rtol=1e-12)
    if np.isfinite(value) and value < 1:
        g = array((4, 3), seed=1)
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(layer.backward(g), tensor.grad.numpy(), rtol=1e-9)


def test_what_torch_refuses_is_refused():
    for shape, error in (((), RuntimeError), (-1, RuntimeError), ((2, -1), RuntimeError), ("a", TypeError)):
        refuses_as_torch(lambda: nn.RMSNorm(shape), lambda: torch.nn.RMSNorm(shape)(torch.ones(2, 3)))  # noqa: B023
        with pytest.raises(error, match=r"^RMSNorm: expected "):
            nn.RMSNorm(shape)
    for shape in ((4, 2), (), (3, 0)):
        x = np.ones(shape, np.float32)
        with pytest.raises(RuntimeError, match=r"RMSNorm: expected input of shape \(\.\.\., \(3,\)\), got"):
            nn.RMSNorm(3)(x)
    for option in ("bias", "device"):
        with pytest.raises(TypeError, match=option):
            nn.RMSNorm(3, **{option: True})


def test_functions_are_pure():
    x, weight, g = array((4, 3)), array((3,), seed=1), array((4, 3), seed=2)
    before = [one.copy() for one in (x, weight, g)]
    y, saved = rms_norm(x, weight, 1e-5)
    first = rms_norm_backward(g, weight, saved)
    second = rms_norm_backward(g, weight, saved)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip((x, weight, g), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.shares_memory(y, x)
