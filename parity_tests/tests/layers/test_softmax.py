"""Softmax and LogSoftmax against PyTorch, finite differences, and their laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.strategies import array, dtypes, lay_out, layouts, seeds, tied

names = st.sampled_from(["Softmax", "LogSoftmax"])
each_name = pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])


@st.composite
def shapes_and_dims(draw, min_side=0):
    shape = tuple(draw(st.lists(st.integers(min_side, 5), max_size=4)))
    ndim = max(len(shape), 1)
    return shape, draw(st.integers(-ndim, ndim - 1))


@given(
    name=names, case=shapes_and_dims(), factor=st.sampled_from([1, 30, 1e4]), dtype=dtypes, layout=layouts, seed=seeds
)
def test_softmax_is_torchs(name, case, factor, dtype, layout, seed):
    shape, dim = case
    x = lay_out((factor * array(shape, seed=seed)).astype(dtype), layout)
    check(getattr(nn, name)(dim), getattr(torch.nn, name)(dim), x, seed=seed).raise_if_different()


@given(name=names, case=shapes_and_dims(), dtype=dtypes, seed=seeds)
def test_ties_are_torchs(name, case, dtype, seed):
    shape, dim = case
    x = tied(shape, dtype, seed=seed)
    check(getattr(nn, name)(dim), getattr(torch.nn, name)(dim), x, seed=seed).raise_if_different()


@each_name
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 2), (0, 3), (3, 0)], ids=str)
def test_implicit_dim_is_torchs(name, shape):
    layer, reference = getattr(nn, name)(), getattr(torch.nn, name)()
    x = array(shape)
    with pytest.warns(UserWarning, match=f"{name}: dim was not given"):
        y = layer(x)
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        expected = reference(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-13)


@given(name=names, case=shapes_and_dims(), seed=seeds)
def test_backward_is_the_derivative(name, case, seed):
    shape, dim = case
    check(getattr(nn, name)(dim), None, array(shape, seed=seed), seed=seed).raise_if_different()


@each_name
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_values_are_torchs(name, dtype):
    inf, nan = np.inf, np.nan
    rows = [[1, inf], [inf, inf], [-inf, -inf], [-inf, 1], [nan, 1], [nan, -inf], [1e4, -1e4], [0.0, -0.0], [1e-310, 1]]
    check(getattr(nn, name)(1), getattr(torch.nn, name)(1), np.array(rows, dtype)).raise_if_different()


@given(case=shapes_and_dims(min_side=1), dtype=dtypes, seed=seeds)
def test_outputs_are_probabilities(case, dtype, seed):
    shape, dim = case
    x = array(shape, dtype, seed=seed)
    y, log_y = nn.Softmax(dim)(x), nn.LogSoftmax(dim)(x)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y.sum(axis=dim), 1, rtol=8 * eps)
    np.testing.assert_allclose(np.exp(log_y), y, rtol=8 * eps)


@given(name=names, case=shapes_and_dims(min_side=1), layout=layouts, seed=seeds)
def test_raising_all_scores_alike_changes_nothing(name, case, layout, seed):
    shape, dim = case
    layer = getattr(nn, name)(dim)
    x = array(shape, seed=seed, layout=layout)
    with scratch.no_grad():
        raised = layer(np.asarray(x + 4))
    np.testing.assert_allclose(raised, layer(x), rtol=1e-12, atol=1e-14)
    grad = layer.backward(array(shape, seed=seed + 1))
    np.testing.assert_allclose(grad.sum(axis=dim), 0, atol=1e-13)


@given(name=names, case=shapes_and_dims(min_side=1), layout=layouts, seed=seeds)
def test_backward_is_linear(name, case, layout, seed):
    shape, dim = case
    layer = getattr(nn, name)(dim)
    layer(array(shape, seed=seed))
    g, h = array(shape, seed=seed + 1, layout=layout), array(shape, seed=seed + 2)
    with scratch.retain_graph():
        combined = layer.backward(np.asarray(2 * g - 3 * h))
        np.testing.assert_allclose(combined, 2 * layer.backward(g) - 3 * layer.backward(h), rtol=1e-12, atol=1e-13)


@each_name
def test_bad_arguments(name):
    for dim in (1.5, "1", True):
        with pytest.raises(TypeError, match=f"{name}: expected dim to be an int or None"):
            getattr(nn, name)(dim)
    with pytest.raises(IndexError, match=rf"{name}: expected dim within \[-2, 1\], got 2"):
        getattr(nn, name)(2)(np.ones((2, 3)))
    with pytest.raises(IndexError, match=rf"{name}: expected dim within \[-1, 0\], got 1"):
        getattr(nn, name)(1)(np.ones(()))
    with pytest.raises(TypeError, match=f"{name}: expected input of dtype"):
        getattr(nn, name)(0)(np.arange(3))
    layer = getattr(nn, name)(0)
    layer(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match=rf"{name}: expected grad_output of shape \(2, 3\)"):
        layer.backward(np.ones(3))
