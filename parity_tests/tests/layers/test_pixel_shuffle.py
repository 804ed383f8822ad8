"""PixelShuffle and PixelUnshuffle against PyTorch, and against each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds

NAMES = ["PixelShuffle", "PixelUnshuffle"]


@given(
    name=st.sampled_from(NAMES),
    lead=st.lists(st.integers(1, 3), max_size=2),
    factor=st.integers(1, 3),
    image=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_is_torchs(name, lead, factor, image, dtype, layout, seed):
    c, h, w = image
    own = (c * factor**2, h, w) if name == "PixelShuffle" else (c, h * factor, w * factor)
    x = array((*lead, *own), dtype, seed=seed, layout=layout)
    check(getattr(nn, name)(factor), getattr(torch.nn, name)(factor), x, seed=seed).raise_if_different()


def test_each_undoes_the_other_and_is_its_backward():
    x, g = array((2, 12, 3, 5)), array((2, 3, 6, 10), seed=1)
    shuffle, unshuffle = nn.PixelShuffle(2), nn.PixelUnshuffle(2)
    y = shuffle(x)
    np.testing.assert_array_equal(unshuffle(y), x)
    np.testing.assert_array_equal(shuffle.backward(g), nn.PixelUnshuffle(2)(g))
    np.testing.assert_array_equal(unshuffle.backward(x), nn.PixelShuffle(2)(x))


@pytest.mark.parametrize("shape", [(0, 4, 2, 4), (3, 0, 4, 2, 4), (2, 0, 2, 4)])
def test_of_nothing_there_is_nothing(shape):
    """PyTorch's PixelUnshuffle returns an empty batch unchanged, and the backward of its PixelShuffle fails on one."""
    *lead, c, h, w = shape
    for layer, expected in (
        (nn.PixelShuffle(2), (*lead, c // 4, 2 * h, 2 * w)),
        (nn.PixelUnshuffle(2), (*lead, 4 * c, h // 2, w // 2)),
    ):
        y = layer(np.zeros(shape))
        assert y.shape == expected
        assert layer.backward(np.zeros(y.shape)).shape == shape


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [0, -1, 2.0, True, "2", None, (2, 2)])
def test_refuses_a_factor_in_torchs_kind(name, factor):
    x = np.zeros((1, 4, 2, 2))
    said = refuses_as_torch(
        lambda: getattr(nn, name)(factor)(x), lambda: getattr(torch.nn, name)(factor)(torch.tensor(x))
    )
    assert said.startswith(f"{name}: expected")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("PixelShuffle", (4, 4)),
        ("PixelShuffle", (2, 2, 2)),
        ("PixelShuffle", (1, 6, 2, 2)),
        ("PixelUnshuffle", (4, 4)),
        ("PixelUnshuffle", (1, 3, 4)),
        ("PixelUnshuffle", (1, 1, 4, 3)),
    ],
)
def test_refuses_a_shape_in_torchs_kind(name, shape):
    layer, reference = getattr(nn, name)(2), getattr(torch.nn, name)(2)
    said = refuses_as_torch(lambda: layer(np.zeros(shape)), lambda: reference(torch.zeros(shape)))
    assert str(shape) in said


@pytest.mark.parametrize("name", NAMES)
def test_what_a_factor_of_one_returns_is_to_be_read(name):
    x = array((2, 4, 3, 3))
    x.setflags(write=False)
    y = getattr(nn, name)(1)(x)
    assert np.may_share_memory(y, x)
    x.setflags(write=True)
    y = getattr(nn, name)(1)(x)
    assert not y.flags.writeable
    assert not np.may_share_memory(y, x)


def test_a_refusal_names_the_factor():
    with pytest.raises(RuntimeError, match="PixelShuffle: expected upscale_factor of 1 or more, got 0"):
        nn.PixelShuffle(0)
    with pytest.raises(RuntimeError, match="PixelUnshuffle: expected downscale_factor of 1 or more, got 0"):
        nn.PixelUnshuffle(0)


@pytest.mark.parametrize("name", NAMES)
def test_prints_as_torchs(name):
    assert repr(getattr(nn, name)(3)) == repr(getattr(torch.nn, name)(3))
