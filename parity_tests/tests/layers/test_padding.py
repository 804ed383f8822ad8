"""Padding as a pair of plain functions: NumPy's forward, its adjoint, and the kernels' numbers."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch.kernels.padded_images import pad_images, unpad_images
from scratch.nn.padding import MODES, pad, pad_backward

sides = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)
images = st.tuples(st.integers(1, 7), st.integers(1, 7))


@given(
    batch=st.sampled_from([0, 1, 3]),
    image=images,
    padding=sides,
    mode=st.sampled_from([*MODES]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_padding_is_numpys_and_its_backward_the_adjoint(batch, image, padding, mode, dtype, layout, seed):
    longest = {"reflect": -1, "circular": 0}.get(mode, 99)
    assume(all(max(side) <= length + longest for side, length in zip(padding, image, strict=True)))
    x = array((batch, 2, *image), dtype, seed=seed, layout=layout)
    y, saved = pad(x, padding, mode)
    if batch:
        np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), *padding), MODES[mode]))
    np.testing.assert_array_equal(y, pad_images(x, padding, mode))
    g = array(y.shape, dtype, seed=seed + 1)
    grad_x = pad_backward(g, saved)
    assert (y.dtype, grad_x.dtype, grad_x.shape) == (x.dtype, x.dtype, x.shape)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(grad_x, unpad_images(g, padding, mode), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(np.vdot(y, g), np.vdot(x, grad_x), rtol=0, atol=rtol * max(g.size, 1))


@pytest.mark.parametrize(
    ("mode", "source"),
    [
        ("zeros", [0, 0, 1, 2, 3, 0]),
        ("replicate", [1, 1, 1, 2, 3, 3]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)
def test_the_docstrings_sources(mode, source):
    y, _ = pad(np.array([[[[1.0, 2.0, 3.0]]]]), ((0, 0), (2, 1)), mode)
    np.testing.assert_array_equal(y[0, 0], [source])


def test_an_infinity_stays_where_it_is():
    x = array((1, 1, 2, 3))
    x[0, 0, 1, 1] = np.inf
    y, saved = pad(x, ((1, 1), (1, 1)), "zeros")
    assert np.isinf(y).sum() == 1
    assert np.isfinite(y).sum() == 19
    grad_x = pad_backward(y, saved)
    np.testing.assert_array_equal(grad_x, x)
