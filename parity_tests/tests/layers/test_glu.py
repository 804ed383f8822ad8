"""GLU against PyTorch and finite differences; what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds


@st.composite
def inputs(draw):
    """Return a shape and one of its axes, which has an even length."""
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] *= 2
    return tuple(shape), dim


@given(case=inputs(), dtype=dtypes, layout=layouts, seed=seeds)
def test_glu_is_torchs(case, dtype, layout, seed):
    shape, dim = case
    x = array(shape, dtype, seed=seed, layout=layout)
    check(nn.GLU(dim), torch.nn.GLU(dim), x, seed=seed).raise_if_different()
    if dtype == "float64":
        check(nn.GLU(dim), None, x, seed=seed).raise_if_different()


@pytest.mark.parametrize("gate", [np.nan, np.inf, -np.inf, 800.0, -800.0])
def test_gates_that_are_shut_or_open_are_torchs(gate):
    x = np.array([[1.5, -2.0, gate, gate], [np.inf, 0.0, gate, 0.3]])
    g = array((2, 2), seed=1)
    tensor = torch.tensor(x, requires_grad=True)
    layer, expected = nn.GLU(), torch.nn.GLU()(tensor)
    np.testing.assert_allclose(layer(x), expected.detach().numpy(), rtol=1e-12)
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(layer.backward(g), tensor.grad.numpy(), rtol=1e-12)


def test_the_caller_may_write_to_the_input_once_forward_has_returned():
    x, g = array((3, 4)), array((3, 2), seed=1)
    layer = nn.GLU()
    layer(x)
    expected = layer.backward(g)
    layer(x)
    x[...] = 7.0
    np.testing.assert_array_equal(layer.backward(g), expected)


@pytest.mark.parametrize(("shape", "dim"), [((3,), -1), ((4, 3), 1), ((), -1), ((4, 2), 2), ((4, 2), -3)])
def test_what_torch_refuses_is_refused(shape, dim):
    said = refuses_as_torch(lambda: nn.GLU(dim)(np.ones(shape)), lambda: torch.nn.GLU(dim)(torch.ones(shape)))
    assert "GLU: expected" in said


@pytest.mark.parametrize("dim", [None, 1.0, "1", True])
def test_an_axis_that_is_no_integer_is_refused(dim):
    with pytest.raises(TypeError, match="GLU: expected dim to be an int, got"):
        nn.GLU(dim)


def test_repr():
    assert repr(nn.GLU(1)) == "GLU(dim=1)"
