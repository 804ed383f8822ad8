"""The arrays that layers are compared on are what their names say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.arrays import LAYOUTS, array, distinct, lay_out, random_state, tied
from parity_tests.harness.strategies import dtypes, seeds


@given(
    shape=st.lists(st.integers(0, 4), max_size=5).map(tuple),
    layout=st.sampled_from(LAYOUTS),
    dtype=dtypes,
    seed=seeds,
)
def test_a_layout_changes_no_number(shape, layout, dtype, seed):
    for draw in (array, distinct, tied):
        plain, laid = draw(shape, dtype, seed=seed), draw(shape, dtype, seed=seed, layout=layout)
        assert np.array_equal(plain, laid)
        assert laid.dtype == np.dtype(dtype)


def test_the_layouts_are_what_they_are_called():
    values = array((2, 3, 4, 5))
    assert lay_out(values, "C").flags.c_contiguous
    assert lay_out(values, "Fortran").flags.f_contiguous
    assert np.moveaxis(lay_out(values, "channels-last"), 1, -1).flags.c_contiguous
    strided = lay_out(values, "strided").flags
    assert not strided.c_contiguous
    assert not strided.f_contiguous
    assert not lay_out(values, "read-only").flags.writeable
    with pytest.raises(ValueError, match="lay_out: expected one of"):
        lay_out(values, "diagonal")


def test_the_arrays_are_what_they_are_called():
    assert np.abs(array((100,))).min() >= 0.25
    assert abs(array((1000,)).mean()) > 0.1
    assert len(np.unique(distinct((5, 7)))) == 35
    assert set(np.unique(tied((50,)))) == {-1, 0, 1, 2}


def test_a_random_state_leaves_counters_and_keeps_variances_positive():
    layer = random_state(nn.BatchNorm1d(3))
    assert layer.num_batches_tracked == 0
    assert (layer.running_var > 0).all()
    assert len(np.unique(layer.weight.data)) == 3
