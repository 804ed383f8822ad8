"""Linear, Identity, Flatten and Sequential against PyTorch, their options crossed with shapes, layouts and dtypes."""

import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.compare import check
from parity_tests.strategies import array, dtypes, layouts, random_state, seeds


@given(
    leading=st.lists(st.integers(0, 4), max_size=3),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    bias=st.booleans(),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_linear_is_torchs(leading, sizes, bias, dtype, layout, seed):
    x = array((*leading, sizes[0]), dtype, seed=seed, layout=layout)
    layer = random_state(nn.Linear(*sizes, bias=bias, dtype=dtype), seed)
    check(layer, torch.nn.Linear(*sizes, bias=bias), x, seed=seed).raise_if_different()
