"""Padding: NumPy's forward, its adjoint, the kernels' numbers; and PyTorch's layers."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from parity_tests.harness.compare import check
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.refusals import refuses_as_torch
from parity_tests.harness.strategies import array, dtypes, layouts, seeds
from scratch import nn
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


# The layers.

KINDS = ("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad")


def make(engine, kind, axes, padding):
    """Return an engine's layer; the constant is 1.5."""
    return getattr(engine, f"{kind}{axes}d")(padding, *((1.5,) if kind == "ConstantPad" else ()))


@given(
    kind=st.sampled_from(KINDS),
    axes=st.sampled_from([1, 2]),
    sides=st.lists(st.integers(-3, 4), min_size=4, max_size=4),
    one=st.booleans(),
    batch=st.sampled_from([None, 0, 1, 3]),
    image=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_the_layers_are_torchs(kind, axes, sides, one, batch, image, dtype, layout, seed):
    if kind == "CircularPad":
        sides = [abs(side) for side in sides]  # see test_circular_padding_is_never_negative
    padding = sides[0] if one else tuple(sides[: 2 * axes])
    image = image[: 1 + axes]
    x = array(image if batch is None else (batch, *image), dtype, seed=seed, layout=layout)
    layer, reference = make(nn, kind, axes, padding), make(torch.nn, kind, axes, padding)
    assert repr(layer) == repr(reference)
    try:
        reference(torch.tensor(np.array(x)))
    except RuntimeError:
        with pytest.raises(RuntimeError, match=f"{kind}{axes}d: expected padding"):
            layer(x)
    else:
        check(layer, reference, x, seed=seed).raise_if_different()


@pytest.mark.parametrize("axes", [1, 2])
def test_circular_padding_is_never_negative(axes):
    """PyTorch repeats what is left and, where that is too little, uninitialized memory."""
    for padding in (-1, (2, -1, 0, 0)[: 2 * axes]):
        with pytest.raises(RuntimeError, match=f"CircularPad{axes}d: expected padding of 0 or more"):
            make(nn, "CircularPad", axes, padding)


@pytest.mark.parametrize("value", [7, -0.5, np.float32(2.5), np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_constant_may_be_any_number(value, dtype):
    x = array((2, 3, 4), dtype)
    layer, reference = nn.ConstantPad1d((2, 1), value), torch.nn.ConstantPad1d((2, 1), float(value))
    check(layer, reference, x).raise_if_different()
    assert layer.value == value or np.isnan(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [1, 2])
def test_nothing_to_pad_is_the_input_to_be_read(kind, axes):
    layer, x = make(nn, kind, axes, 0), array((2, 3, 4, 5)[: 2 + axes])
    y = layer(x)
    np.testing.assert_array_equal(y, x)
    assert not (np.may_share_memory(y, x) and y.flags.writeable)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("padding", [1.5, "a", None, (1, 1.5), (1, 2, 3), (1,)])
def test_refuses_a_padding_in_torchs_kind(kind, axes, padding):
    x = np.ones((2, 3, 4, 5)[: 2 + axes])
    message = refuses_as_torch(
        lambda: make(nn, kind, axes, padding), lambda: make(torch.nn, kind, axes, padding)(torch.tensor(x))
    )
    assert f"{kind}{axes}d: expected padding" in message


@pytest.mark.parametrize("kind", ["ReflectionPad", "ReplicationPad", "CircularPad"])
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("shape", [(3,), (1, 1, 2, 2, 3), (2, 0, 4, 5), (2, 3, 4, 0), (0, 4, 5)])
def test_refuses_a_shape_in_torchs_kind(kind, axes, shape):
    shape = shape[: 2 + axes] if len(shape) == 4 else shape
    layer, reference = make(nn, kind, axes, 1), make(torch.nn, kind, axes, 1)
    try:
        reference(torch.zeros(shape))
    except Exception as refusal:
        if len(shape) == 1 and axes == 2 and kind != "CircularPad":
            return  # PyTorch's words are of the padding's length there
        with pytest.raises(type(refusal), match=f"{kind}{axes}d: expected"):
            layer(np.zeros(shape))
    else:
        assert layer(np.zeros(shape)).shape == reference(torch.zeros(shape)).shape


@pytest.mark.parametrize("kind", ["ZeroPad", "ConstantPad"])
def test_constants_are_added_to_images_with_pixels(kind):
    for shape in ((3,), (1, 2, 2, 3), (2, 3, 0)):
        with pytest.raises(RuntimeError, match=f"{kind}1d: expected input"):
            make(nn, kind, 1, 1)(np.zeros(shape))
    with pytest.raises(TypeError, match="ConstantPad2d: expected value to be a number, got 'a'"):
        nn.ConstantPad2d(1, "a")


def padded(package, kind, sides, x):
    try:
        return np.asarray(make(package, kind, 1, sides)(x))
    except Exception:
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_what_leaves_something_of_the_image_and_what_does_not_is_torchs(kind):
    least = 0 if kind == "CircularPad" else -3  # of a wrap around, a negative part is refused
    for length in range(1, 4):
        x = array((2, 3, length))
        for sides in itertools.product(range(least, 5), repeat=2):
            ours, theirs = padded(nn, kind, sides, x), padded(torch.nn, kind, sides, torch.from_numpy(x))
            assert (ours is None) == (theirs is None), (length, sides)
            if ours is not None:
                np.testing.assert_array_equal(ours, theirs)


def test_entries_are_named_in_their_order():
    with pytest.raises(RuntimeError, match=r"expected padding to have 2 entries \(left, right\), got"):
        nn.ReflectionPad1d((1, 2, 3))
    with pytest.raises(RuntimeError, match=r"expected padding to have 4 entries \(left, right, top, bottom\), got"):
        nn.ReflectionPad2d((1, 2, 3))
