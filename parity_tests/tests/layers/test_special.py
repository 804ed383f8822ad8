"""The normal distribution function, plain and fast, and keeping elements by their bits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch.dispatch import kernel_of, run
from scratch.kernels.keep_where import keep_where
from scratch.kernels.normal_distribution import KNOTS, cdf_and_density
from scratch.nn.normal_distribution import normal_cdf, normal_density

each_cdf = pytest.mark.parametrize("cdf", [normal_cdf, kernel_of(normal_cdf)], ids=["plain", "fast"])
each_density = pytest.mark.parametrize("density", [normal_density, kernel_of(normal_density)], ids=["plain", "fast"])


def test_there_is_a_fast_one():
    assert kernel_of(normal_cdf) is not normal_cdf
    assert kernel_of(normal_density) is not normal_density


@each_cdf
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_normal_cdf_is_half_of_erfc(cdf, dtype):
    # Rounding a^2 costs us up to x^2 / 4 units; rounding x / sqrt(2) twice costs the expected value up to x^2.
    info = np.finfo(dtype)
    lowest = -37.0 if dtype == "float64" else -12.9  # below, the result is subnormal
    x = np.concatenate([np.linspace(lowest, 9, 20_011), np.linspace(-1, 1, 5_003)]).astype(dtype)
    exact = np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()])
    error = np.abs(cdf(x) - exact) / exact
    assert (error <= (4 + 1.25 * x.astype(float) ** 2) * info.eps).all()
    assert error[np.abs(x) < 1].max() <= 4 * info.eps


@each_cdf
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_normal_cdf_at_the_ends(cdf, dtype):
    x = np.array([-np.inf, -1e4, -0.0, 0.0, 1e4, np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    np.testing.assert_array_equal(run(cdf, x), np.array([0, 0, 0.5, 0.5, 1, 1, np.nan, 1, 0], dtype))


@each_cdf
@given(shape=st.lists(st.integers(0, 30), max_size=3).map(tuple), dtype=dtypes, layout=layouts, seed=seeds)
def test_normal_cdf_of_any_array(cdf, shape, dtype, layout, seed):
    x = array(shape, dtype, seed=seed, layout=layout)
    y = cdf(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    expected = torch.special.ndtr(torch.from_numpy(x.astype("float64"))).numpy()
    np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)


@each_cdf
def test_normal_cdf_of_a_broadcast_array(cdf):
    # Its memory is not contiguous, and the axis of stride 0 has no place in the memory order.
    x = np.broadcast_to(array((1, 3, 4)), (2, 3, 4))
    np.testing.assert_array_equal(cdf(x), cdf(x.copy()))


@each_cdf
def test_normal_cdf_is_increasing_and_symmetric(cdf):
    x = np.linspace(-38, 8, 100_001)
    y = cdf(x)
    assert (np.diff(y) >= -4 * np.finfo(float).eps * (1 + x[1:] ** 2) * y[1:]).all()
    np.testing.assert_allclose(y + cdf(-x), 1.0, rtol=1e-15)


@each_density
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_normal_density_is_the_formula(density, dtype):
    # The exponent is rounded by up to half a unit of its own size, which becomes a relative error of the result.
    x = np.linspace(-12, 12, 20_011).astype(dtype)
    exact = np.array([math.exp(-value * value / 2) / math.sqrt(2 * math.pi) for value in x.tolist()])
    error = np.abs(density(x) - exact) / exact
    assert density(x).dtype == dtype
    assert (error <= (4 + x.astype(float) ** 2) * np.finfo(dtype).eps).all()
    np.testing.assert_array_equal(density(np.array([-np.inf, np.inf, np.nan], dtype)), np.array([0, 0, np.nan], dtype))


def both(x):
    cdf, density = np.empty_like(x), np.empty_like(x)
    run(cdf_and_density, x, cdf, density)
    return cdf, density


def exactly(x):
    """Return Phi and its density in float64, number by number."""
    return (
        np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x.tolist()]),
        np.array([math.exp(-value * value / 2) / math.sqrt(2 * math.pi) for value in x.tolist()]),
    )


def test_both_at_once_are_the_formulas():
    x = np.linspace(-12, 12, 20_011)
    for found, exact, square in zip(both(x), exactly(x), (1.25, 1.0), strict=True):
        assert (np.abs(found - exact) / exact <= (4 + square * x**2) * np.finfo(float).eps).all()


def test_in_float32_both_are_within_the_tangents_error_and_two_roundings():
    halfway = (np.arange(-12 * KNOTS, 12 * KNOTS, 97) + 0.5) / KNOTS  # as far from the table's knots as can be
    x = np.concatenate([np.linspace(-12, 12, 20_011), halfway]).astype("float32")
    (cdf, density), (exact_cdf, exact_density) = both(x), exactly(x)
    rounding, tangent = np.finfo("float32").eps, (0.5 / KNOTS) ** 2 / 2
    size = np.abs(x.astype(float))
    assert (np.abs(cdf - exact_cdf) <= 1.01 * (rounding * exact_cdf + tangent * size * exact_density)).all()
    assert (np.abs(density - exact_density) <= 1.01 * (rounding + tangent * (1 + size**2)) * exact_density).all()


def test_at_a_knot_both_are_rounded_once():
    x = (np.arange(-12 * KNOTS, 12 * KNOTS, 37) / KNOTS).astype("float32")
    for found, exact in zip(both(x), both(x.astype("float64")), strict=True):
        np.testing.assert_array_equal(found, exact.astype("float32"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_at_once_at_the_ends(dtype):
    largest = np.finfo(dtype).max
    x = np.array([-np.inf, -largest, -40, -0.0, 0.0, 40, largest, np.inf, np.nan], dtype)
    middle = 1 / math.sqrt(2 * math.pi)
    cdf, density = both(x)
    np.testing.assert_array_equal(cdf, np.array([0, 0, 0, 0.5, 0.5, 1, 1, 1, np.nan], dtype))
    np.testing.assert_array_equal(density, np.array([0, 0, 0, middle, middle, 0, 0, 0, np.nan], dtype))


@given(shape=st.lists(st.integers(0, 6), max_size=3).map(tuple), dtype=dtypes, layout=layouts, seed=seeds)
def test_keep_where_is_where(shape, dtype, layout, seed):
    x = array(shape, dtype, seed=seed, layout=layout)
    keep = np.random.default_rng(seed).random(shape) < 0.5
    kept = keep_where(np.asarray(keep), x)
    np.testing.assert_array_equal(kept, np.where(keep, x, x.dtype.type(0)))
    assert kept.dtype == x.dtype


def test_keep_where_keeps_nan_and_infinity_apart():
    x = np.array([np.nan, np.inf, -np.inf, -0.0])
    assert keep_where(np.ones(4, bool), x).tobytes() == x.tobytes()
    assert keep_where(np.zeros(4, bool), x).tobytes() == np.zeros(4).tobytes()
