"""The poolings of images and of sequences against PyTorch, finite differences and laws, at ties and at NaN."""

import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import scratch
import scratch.nn as nn
from parity_tests.harness.compare import check
from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.refusals import layer_refuses_as_torch
from parity_tests.harness.strategies import array, distinct, dtypes, lay_out, layouts, seeds, tied

sizes = st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4)))
strides = st.one_of(st.none(), st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))
halves = st.sampled_from([0, 0, 0.25, 0.5])  # of the window, as padding
batches = st.sampled_from([None, 0, 1, 3])
images = st.tuples(st.integers(1, 4), st.integers(1, 10), st.integers(1, 10))
output_sizes = st.one_of(
    st.integers(1, 6), st.tuples(st.one_of(st.none(), st.integers(1, 6)), st.one_of(st.none(), st.integers(1, 6)))
)


def share(part, kernel_size):
    """Return a padding that is this part of the window, at most half of it."""
    if isinstance(kernel_size, int):
        return int(part * kernel_size)
    return tuple(int(part * size) for size in kernel_size)


def compare(layer, torch_layer, x, seed=0):
    """Compare the layers or, where PyTorch refuses the input, check that ours refuses it too."""
    try:
        torch_layer(torch.tensor(np.array(x)))
    except RuntimeError:
        with pytest.raises(RuntimeError, match=type(layer).__name__):
            layer(x)
    else:
        check(layer, torch_layer, x, seed=seed).raise_if_different()


def sees_only_padding(kernel_size, options, image):
    """Return whether a dilated window has no pixel; PyTorch then gives its gradient to a pixel beside the window."""
    ones = np.ones((1, 1, *image))
    try:
        return np.isneginf(nn.MaxPool2d(kernel_size, **options)(ones)).any()
    except RuntimeError:
        return False


@given(
    kernel_size=sizes,
    stride=strides,
    padding=halves,
    dilation=st.sampled_from([1, 1, 2, (1, 3)]),
    ceil_mode=st.booleans(),
    return_indices=st.booleans(),
    batch=batches,
    image=images,
    draw=st.sampled_from([array, distinct, tied]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_max_pool_is_torchs(
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, batch, image, draw, dtype, layout, seed
):
    options = {
        "stride": stride,
        "padding": share(padding, kernel_size),
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    assume(not sees_only_padding(kernel_size, options, image[1:]))
    x = draw(image if batch is None else (batch, *image), dtype, seed=seed, layout=layout)
    layer = nn.MaxPool2d(kernel_size, **options, return_indices=return_indices)
    compare(layer, torch.nn.MaxPool2d(kernel_size, **options, return_indices=return_indices), x, seed)


@pytest.mark.parametrize("kernel_size", [(3, 2), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 2), (2, 1)])
def test_indices_are_torchs_where_rows_and_columns_are_dilated_differently(kernel_size, dilation):
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": dilation, "return_indices": True}
    x = distinct((2, 3, 9, 8), "float64", seed=0)
    compare(nn.MaxPool2d(kernel_size, **options), torch.nn.MaxPool2d(kernel_size, **options), x, seed=0)


@given(
    kernel_size=sizes,
    stride=strides,
    padding=halves,
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    divisor_override=st.sampled_from([None, None, 3, -2]),
    batch=batches,
    image=images,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_avg_pool_is_torchs(
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, batch, image, dtype, layout, seed
):
    options = {
        "stride": stride,
        "padding": share(padding, kernel_size),
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
        "divisor_override": divisor_override,
    }
    x = array(image if batch is None else (batch, *image), dtype, seed=seed, layout=layout)
    compare(nn.AvgPool2d(kernel_size, **options), torch.nn.AvgPool2d(kernel_size, **options), x, seed)


@pytest.mark.parametrize("plain", [False, True], ids=["fast", "plain"])
@pytest.mark.parametrize("padding", [(1, 0), (0, 1)])
def test_avg_pool_with_two_paddings_and_a_rest_is_torchs(padding, plain):
    options = {"kernel_size": (2, 3), "stride": (2, 3), "padding": padding, "ceil_mode": True}
    for image in ((4, 7), (5, 6), (6, 8)):
        x = array((2, 3, *image))
        with scratch.plain(plain):
            compare(nn.AvgPool2d(**options), torch.nn.AvgPool2d(**options), x, 0)


@given(output_size=output_sizes, batch=batches, image=images, dtype=dtypes, layout=layouts, seed=seeds)
def test_adaptive_avg_pool_is_torchs(output_size, batch, image, dtype, layout, seed):
    x = array(image if batch is None else (batch, *image), dtype, seed=seed, layout=layout)
    compare(nn.AdaptiveAvgPool2d(output_size), torch.nn.AdaptiveAvgPool2d(output_size), x, seed)


@pytest.mark.parametrize(
    ("name", "size"),
    [*[("AdaptiveAvgPool2d", size) for size in (0, (0, 2), (2, 0))], ("AdaptiveAvgPool1d", 0)],
)
def test_adaptive_avg_pool_to_nothing_is_torchs(name, size):
    x = array((2, 3, 4, 5) if name == "AdaptiveAvgPool2d" else (2, 3, 5))
    ours, theirs = getattr(nn, name)(size), getattr(torch.nn, name)(size)
    y = ours(x)
    assert y.shape == tuple(theirs(torch.from_numpy(x)).shape)
    assert not ours.backward(y).any()  # where PyTorch refuses to go back


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["C", "channels-last"])
def test_max_pool_is_torchs_at_the_shapes_of_networks(dtype, layout):
    x = np.maximum(array((40, 32, 28, 28), dtype, layout=layout), 0)  # ties, as after a ReLU
    check(nn.MaxPool2d(2), torch.nn.MaxPool2d(2), x).raise_if_different()


@kernels_only
@given(
    kernel_size=sizes,
    stride=strides,
    padding=halves,
    dilation=st.sampled_from([1, 1, 2, (1, 3)]),
    ceil_mode=st.booleans(),
    image=images,
    values=st.sampled_from([[0.0, -0.0], [1.0, 2.0, 3.0], [-np.inf, -np.inf, 1.0], [np.nan, -np.inf, 2.0]]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_kernels_take_the_same_of_equal_pixels_as_the_plain_functions(
    kernel_size, stride, padding, image, values, dtype, layout, seed, **options
):
    """Between two zeros, the sign tells which was taken."""
    layer = nn.MaxPool2d(kernel_size, stride, share(padding, kernel_size), **options, return_indices=True)
    x = lay_out(np.random.default_rng(seed).choice(values, (3, *image)).astype(dtype), layout)
    results = []
    for is_plain in (False, True):
        with scratch.plain(is_plain):
            try:
                y, indices = layer(x)
            except RuntimeError:
                assume(False)
            results.append(([y, np.signbit(y), indices], layer.backward(array(y.shape, dtype, seed=seed))))
    (of_kernels, grad_of_kernels), (of_plain, grad_of_plain) = results
    for one, other in zip(of_kernels, of_plain, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(grad_of_kernels, grad_of_plain, rtol=1e-5, atol=1e-5)  # where windows overlap, sums


@pytest.mark.parametrize("layout", ["C", "channels-last"])
@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [1.0, np.nan]])
@pytest.mark.parametrize("image", [(8, 6), (7, 9), (3, 2), (2, 5)])
def test_ties_in_squares_are_torchs(image, values, layout):
    x = lay_out(np.random.default_rng(0).choice(values, (5, 3, *image)), layout)
    check(nn.MaxPool2d(2), torch.nn.MaxPool2d(2), x).raise_if_different()


def test_a_window_may_have_more_places_than_a_byte_can_number():
    x = np.zeros((2, 3, 17, 18))
    x[0, 1, 16, 15] = 1.0
    check(nn.MaxPool2d((17, 16)), torch.nn.MaxPool2d((17, 16)), x).raise_if_different()
    check(nn.MaxPool2d((17, 16)), torch.nn.MaxPool2d((17, 16)), tied((2, 3, 17, 18))).raise_if_different()


@kernels_only
def test_whoever_keeps_nothing_gets_the_same_maxima():
    layer, x = nn.MaxPool2d(3, stride=2, padding=1), tied((3, 2, 7, 8))
    y = layer(x)
    with scratch.no_grad():
        np.testing.assert_array_equal(nn.MaxPool2d(3, stride=2, padding=1)(x), y)


@pytest.mark.parametrize("image", [(5, 4), (4, 5), (5, 7), (4, 6)])
@pytest.mark.parametrize("name", ["MaxPool2d", "AvgPool2d"])
def test_windows_side_by_side_leave_a_rest(name, image):
    check(getattr(nn, name)((2, 3)), getattr(torch.nn, name)((2, 3)), array((2, 3, *image))).raise_if_different()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 3, 6, 7)),
        (nn.AvgPool2d((3, 2), stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 3, 6, 7)),
        (nn.AdaptiveAvgPool2d((3, None)), (2, 3, 7, 4)),
        (nn.AdaptiveAvgPool1d(3), (2, 3, 7)),
    ],
)
def test_is_its_finite_differences(layer, shape):
    check(layer, None, distinct(shape)).raise_if_different()


def test_the_first_of_equal_maxima_gets_the_gradient():
    layer = nn.MaxPool2d((2, 3))
    layer(np.zeros((1, 1, 2, 3)))
    np.testing.assert_array_equal(layer.backward(np.full((1, 1, 1, 1), 5.0))[0, 0], [[5, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    "options", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1, "ceil_mode": True}]
)
@pytest.mark.parametrize("values", [[np.nan, 1.0], [-np.inf, -np.inf, 1.0], [np.inf, -1.0], [np.nan, -np.inf]])
@pytest.mark.parametrize("seed", range(3))
def test_special_values_are_torchs(options, values, seed):
    x = np.random.default_rng(seed).choice(values, (2, 3, 6, 8))
    layer, torch_layer = (
        nn.MaxPool2d(**options, return_indices=True),
        torch.nn.MaxPool2d(**options, return_indices=True),
    )
    check(layer, torch_layer, x).raise_if_different()
    check(nn.AvgPool2d(**options), torch.nn.AvgPool2d(**options), x).raise_if_different()
    check(nn.AdaptiveAvgPool1d(3), torch.nn.AdaptiveAvgPool1d(3), x[..., 0, :]).raise_if_different()


def test_an_infinite_gradient_goes_to_the_maximum_alone():
    layer = nn.MaxPool2d(2)
    layer(distinct((1, 1, 2, 2)))
    grad_x = layer.backward(np.full((1, 1, 1, 1), np.inf))
    assert np.isposinf(grad_x).sum() == 1
    assert (grad_x == 0).sum() == 3


@given(kernel_size=sizes, stride=strides, image=images, seed=seeds)
def test_average_pooling_is_the_adjoint_of_its_backward(kernel_size, stride, image, seed):
    """<g, J v> = <J^T g, v>."""
    layer = nn.AvgPool2d(kernel_size, stride, padding=share(0.5, kernel_size), ceil_mode=True)
    v = array((2, *image), seed=seed)
    y = layer(v)
    g = array(y.shape, seed=seed + 1)
    np.testing.assert_allclose(np.vdot(layer.backward(g), v), np.vdot(g, y), rtol=0, atol=1e-12 * g.size)


@given(kernel_size=sizes, stride=strides, image=images, seed=seeds)
def test_max_pooling_loses_nothing_of_its_gradient(kernel_size, stride, image, seed):
    """Each window gives its gradient to one pixel, so that nothing is lost or doubled."""
    layer = nn.MaxPool2d(kernel_size, stride, padding=share(0.5, kernel_size), ceil_mode=True)
    g = array(layer(tied((2, *image), seed=seed)).shape, seed=seed)
    np.testing.assert_allclose(layer.backward(g).sum(axis=(2, 3)), g.sum(axis=(2, 3)), rtol=0, atol=1e-13 * g.size)


@given(kernel_size=sizes, image=images, seed=seeds)
def test_indices_point_at_the_maxima(kernel_size, image, seed):
    layer = nn.MaxPool2d(kernel_size, 1, padding=share(0.5, kernel_size), return_indices=True)
    x = tied((2, *image), seed=seed)
    assume(
        all(side + 2 * pad >= size for side, pad, size in zip(image[1:], layer._padding, layer._kernel, strict=True))
    )
    y, indices = layer(x)
    flat = np.take_along_axis(x.reshape(2, image[0], -1), indices.reshape(2, image[0], -1), axis=2)
    np.testing.assert_array_equal(flat.reshape(y.shape), y)


def test_a_window_of_nothing_but_padding_has_no_pixel():
    layer = nn.MaxPool2d((1, 2), padding=(0, 1), dilation=(1, 3), stride=1, return_indices=True)
    x = distinct((1, 2, 2, 2))  # the places of each window are 3 columns apart: the one in the middle sees padding only
    y, indices = layer(x)
    assert y.shape == (1, 2, 2, 1)
    np.testing.assert_array_equal(indices, np.full(y.shape, -1))
    assert np.isneginf(y).all()
    np.testing.assert_array_equal(layer.backward(array(y.shape, seed=1)), np.zeros_like(x))


@kernels_only
def test_layout_is_kept():
    x = lay_out(array((2, 3, 4, 6)), "channels-last")
    for layer in (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2)):
        y = layer(x)
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous
        assert layer.backward(np.ascontiguousarray(y)).transpose(0, 2, 3, 1).flags.c_contiguous
        assert layer(np.ascontiguousarray(x)).flags.c_contiguous


@kernels_only
@pytest.mark.parametrize("name", ["MaxPool2d", "AvgPool2d"])
def test_layout_is_kept_where_one_window_is_all_of_the_image(name):
    layer = getattr(nn, name)((3, 4))
    for layout in ("C", "channels-last"):
        x = lay_out(array((2, 3, 3, 4)), layout)
        assert layer.backward(layer(x)).strides == x.strides


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("MaxPool2d", {"kernel_size": 2, "stride": 0}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2, "stride": -1}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2, "padding": 2}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 3, "padding": -1}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2, "dilation": 0}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 0}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": -1}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2.0}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": (2, 2, 2)}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 6}, (1, 1, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2}, (1, 0, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2}, (0, 5, 5)),
        ("MaxPool2d", {"kernel_size": 2}, (5, 5)),
        ("MaxPool2d", {"kernel_size": 3, "padding": 1}, (1, 2, 0, 5)),
        ("AvgPool2d", {"kernel_size": 2, "stride": 0}, (1, 1, 5, 5)),
        ("AvgPool2d", {"kernel_size": 2, "padding": 2}, (1, 1, 5, 5)),
        ("AvgPool2d", {"kernel_size": 2, "divisor_override": 0}, (1, 1, 5, 5)),
        ("AvgPool2d", {"kernel_size": 2, "divisor_override": 1.5}, (1, 1, 5, 5)),
        ("AvgPool2d", {"kernel_size": 6}, (1, 1, 5, 5)),
        ("AvgPool2d", {"kernel_size": 2}, (1, 0, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": -1}, (1, 1, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": None}, (1, 1, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": (2,)}, (1, 1, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": (2, 2, 2)}, (1, 1, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": 2.0}, (1, 1, 5, 5)),
        ("AdaptiveAvgPool2d", {"output_size": 2}, (1, 1, 0, 5)),
        ("AdaptiveAvgPool2d", {"output_size": 2}, (5, 5)),
    ],
)
def test_refuses_what_torch_refuses_in_the_same_kind(name, arguments, shape):
    assert name in layer_refuses_as_torch(name, arguments, shape)


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d])
def test_refuses_integers_and_a_wrong_order_of_calls(kind):
    layer = kind(2)
    with pytest.raises(RuntimeError, match="before forward"):
        layer.backward(np.zeros((1, 1, 2, 2)))
    with pytest.raises(TypeError, match="float32"):
        layer(np.zeros((1, 1, 4, 4), int))
    layer(np.zeros((1, 1, 4, 4)))
    with pytest.raises(RuntimeError, match="grad_output"):
        layer.backward(np.zeros((1, 1, 4, 4)))


def test_prints_as_torchs():
    for name, arguments in [
        ("MaxPool2d", {"kernel_size": (2, 1), "stride": 2, "ceil_mode": True, "return_indices": True}),
        ("AvgPool2d", {"kernel_size": 3}),
        ("AdaptiveAvgPool2d", {"output_size": (None, 2)}),
    ]:
        assert repr(getattr(nn, name)(**arguments)) == repr(getattr(torch.nn, name)(**arguments))


# Sequences.

sequences = st.tuples(st.integers(1, 4), st.integers(1, 12))


def of_sequences(name, options, draw, batch, sequence, dtype, layout, seed):
    """Compare a pooling of sequences with PyTorch's."""
    x = draw(sequence if batch is None else (batch, *sequence), dtype, seed=seed, layout=layout)
    compare(getattr(nn, name)(**options), getattr(torch.nn, name)(**options), x, seed)


@given(
    kernel_size=st.integers(1, 4),
    stride=st.one_of(st.none(), st.integers(1, 3)),
    part=halves,
    dilation=st.sampled_from([1, 1, 2, 3]),
    ceil_mode=st.booleans(),
    return_indices=st.booleans(),
    batch=batches,
    sequence=sequences,
    draw=st.sampled_from([array, distinct, tied]),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_max_pool_of_sequences_is_torchs(kernel_size, part, draw, batch, sequence, dtype, layout, seed, **options):
    options |= {"kernel_size": kernel_size, "padding": share(part, kernel_size)}
    image = {name: value for name, value in options.items() if name in ("stride", "padding", "dilation")}
    rows = {"stride": 1, "padding": 0, "dilation": 1}
    pairs = {name: (rows[name], kernel_size if value is None else value) for name, value in image.items()}
    assume(not sees_only_padding((1, kernel_size), {**pairs, "ceil_mode": options["ceil_mode"]}, (1, 1, sequence[1])))
    of_sequences("MaxPool1d", options, draw, batch, sequence, dtype, layout, seed)


@given(
    kernel_size=st.integers(1, 4),
    stride=st.one_of(st.none(), st.integers(1, 3)),
    part=halves,
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    batch=batches,
    sequence=sequences,
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_avg_pool_of_sequences_is_torchs(kernel_size, part, batch, sequence, dtype, layout, seed, **options):
    options |= {"kernel_size": kernel_size, "padding": share(part, kernel_size)}
    of_sequences("AvgPool1d", options, array, batch, sequence, dtype, layout, seed)


@given(size=st.integers(1, 6), batch=batches, sequence=sequences, dtype=dtypes, layout=layouts, seed=seeds)
def test_adaptive_avg_pool_of_sequences_is_torchs(size, batch, sequence, dtype, layout, seed):
    of_sequences("AdaptiveAvgPool1d", {"output_size": size}, array, batch, sequence, dtype, layout, seed)


@pytest.mark.parametrize(
    ("output_size", "shape"),
    [
        *[(size, (1, 2, 5)) for size in (-1, 2.0, None, True, (None,), (2, 3), ())],
        *[(2, shape) for shape in ((5,), (1, 1, 2, 5), (2, 3, 0))],
    ],
)
def test_adaptive_avg_pool_of_sequences_refuses_what_torch_refuses_in_the_same_kind(output_size, shape):
    refused = layer_refuses_as_torch("AdaptiveAvgPool1d", {"output_size": output_size}, shape)
    assert "AdaptiveAvgPool1d: expected" in refused


@pytest.mark.parametrize("name", ["MaxPool1d", "AvgPool1d"])
@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"kernel_size": 0}, (1, 2, 5)),
        ({"kernel_size": 2.0}, (1, 2, 5)),
        ({"kernel_size": (2, 2)}, (1, 2, 5)),
        ({"kernel_size": 6}, (1, 2, 5)),
        ({"kernel_size": 2, "stride": 0}, (1, 2, 5)),
        ({"kernel_size": 2, "padding": 2}, (1, 2, 5)),
        ({"kernel_size": 2, "padding": -1}, (1, 2, 5)),
        ({"kernel_size": 2}, (5,)),
        ({"kernel_size": 2}, (1, 1, 2, 5)),
        ({"kernel_size": 2}, (2, 0, 5)),
        ({"kernel_size": 2}, (0, 5)),
        ({"kernel_size": 2, "padding": 1}, (2, 3, 0)),
    ],
)
def test_of_sequences_refuses_what_torch_refuses_in_the_same_kind(name, options, shape):
    assert f"{name}: expected" in layer_refuses_as_torch(name, options, shape)


def test_of_sequences_prints_as_torchs():
    for options in ({"kernel_size": 2}, {"kernel_size": (3,), "stride": 2, "padding": 1, "ceil_mode": True}):
        for name in ("MaxPool1d", "AvgPool1d"):
            assert repr(getattr(nn, name)(**options)) == repr(getattr(torch.nn, name)(**options))
    for size in (2, (3,)):
        assert repr(nn.AdaptiveAvgPool1d(size)) == repr(torch.nn.AdaptiveAvgPool1d(size))


@pytest.mark.parametrize(
    ("name", "layout", "least", "empty"),
    [
        ("MaxPool1d", "(N, C, L) or (C, L)", "one place", (2, 3, 0)),
        ("MaxPool2d", "(N, C, H, W) or (C, H, W)", "one row and one column", (2, 3, 0, 4)),
    ],
)
def test_refusals_say_which_shapes_are_taken(name, layout, least, empty):
    for shape, words in (((3,), f"input of shape {layout}, got (3,)"), (empty, f"input with at least {least}, got")):
        with pytest.raises(RuntimeError, match=re.escape(f"{name}: expected {words}")):
            getattr(nn, name)(2)(np.zeros(shape, np.float32))
