"""Unflatten against PyTorch, and as the inverse of Flatten."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds


@given(
    before=st.lists(st.integers(0, 3), max_size=2),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    behind=st.lists(st.integers(0, 3), max_size=2),
    data=st.data(),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_unflatten_is_torchs_and_undoes_flatten(before, sizes, behind, data, dtype, layout, seed):
    shape, dim = (*before, int(np.prod(sizes)), *behind), len(before)
    x = array(shape, dtype, seed=seed, layout=layout)
    given_sizes = list(sizes)
    if data.draw(st.booleans()):
        given_sizes[data.draw(st.integers(0, len(sizes) - 1))] = -1
    for axis in (dim, dim - len(shape)):
        report = check(nn.Unflatten(axis, given_sizes), torch.nn.Unflatten(axis, given_sizes), x, seed=seed)
        report.raise_if_different()
    there = nn.Unflatten(dim, given_sizes)(x)
    assert there.shape == (*before, *sizes, *behind)
    np.testing.assert_array_equal(nn.Flatten(dim, dim + len(sizes) - 1)(there), x)


@pytest.mark.parametrize(
    ("dim", "sizes", "shape"),
    [
        (1, (2, 2), (4, 6)),
        (1, (-1, -1), (4, 6)),
        (1, (4, -1), (4, 6)),
        (1, (0, -1), (4, 6)),
        (1, (-2, -3), (4, 6)),
        (1, (), (4, 6)),
        (2, (2, 3), (4, 6)),
        (-3, (2, 3), (4, 6)),
        (0, (1, 1), ()),
    ],
    ids=str,
)
def test_what_torch_refuses_is_refused(dim, sizes, shape):
    said = refuses_as_torch(
        lambda: nn.Unflatten(dim, sizes)(np.zeros(shape)), lambda: torch.nn.Unflatten(dim, sizes)(torch.zeros(shape))
    )
    assert "Unflatten: expected" in said


@pytest.mark.parametrize(
    ("dim", "sizes"), [(1, 6), (1, "23"), (1, (2.0, 3)), ("a", (2, 3)), ("a", (("b", 2),)), (1, None)]
)
def test_what_is_no_integer_is_refused(dim, sizes):
    with pytest.raises(
        TypeError, match=r"Unflatten: expected an integer and a sequence .* named axes are not supported"
    ):
        nn.Unflatten(dim, sizes)


def test_an_axis_without_numbers():
    assert nn.Unflatten(1, (0, 3))(np.zeros((2, 0))).shape == (2, 0, 3)
    assert nn.Unflatten(1, (-1, 3))(np.zeros((2, 0))).shape == (2, 0, 3)


def test_the_output_is_a_view_to_be_read():
    x = array((2, 6))
    x.setflags(write=False)
    y = nn.Unflatten(1, (2, 3))(x)
    assert np.shares_memory(x, y)
    assert not y.flags.writeable
    assert repr(nn.Unflatten(1, (2, -1))) == "Unflatten(dim=1, unflattened_size=(2, -1))"


@pytest.mark.parametrize("dims", [(3, -1), (1, 4), (-4, -1)])
def test_an_axis_that_is_not_there_is_refused_by_the_layers_name(dims):
    with pytest.raises(IndexError, match=r"Flatten: expected an axis within \[-3, 2\], got"):
        nn.Flatten(*dims)(array((2, 3, 4)))


def test_what_flatten_returns_is_to_be_read():
    x = array((2, 3, 4))
    for start in (1, 2):
        y = nn.Flatten(start)(x)
        assert not y.flags.writeable
        assert not np.may_share_memory(y, x)
    assert not nn.Unflatten(1, (3, 1))(x).flags.writeable
    x.setflags(write=False)
    assert np.may_share_memory(nn.Flatten()(x), x)
