"""The kernels' im2col and col2im, padding and its undoing: against loops, and as adjoints of one another."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parity_tests.harness.dirty_memory import dirty_memory  # noqa: F401 - used by every test
from parity_tests.harness.modes import kernels_only
from parity_tests.harness.strategies import array, layouts, seeds
from scratch.kernels import memory
from scratch.kernels.padded_images import COPYING_MODES, NO_SIDES, pad_images, unpad_images
from scratch.kernels.patch_plan import PatchPlan
from scratch.kernels.patches import col2im, im2col, into_blocks, out_of_blocks, output_size, windows

pytestmark = kernels_only

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
images = st.tuples(st.integers(1, 11), st.integers(1, 11))
sides = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)


def dot(a, b):
    """Return <a, b>, a sum over all elements."""
    assert a.shape == b.shape
    return (a * b).sum()


@given(kernel=pairs, stride=pairs, dilation=pairs, image=images, layout=layouts)
def test_windows_are_what_a_loop_finds(kernel, stride, dilation, image, layout):
    p, q = output_size(image, kernel, stride, dilation)
    assume(p > 0 and q > 0)
    x = array((2, 3, *image), layout=layout)
    view = windows(x, kernel, stride, dilation)
    assert view.shape == (2, 3, p, q, *kernel)
    for place in np.ndindex(p, q, *kernel):
        row, column = (stride[a] * place[a] + dilation[a] * place[2 + a] for a in (0, 1))
        np.testing.assert_array_equal(view[(..., *place)], x[:, :, row, column])


@given(
    kernel=pairs,
    stride=pairs,
    dilation=pairs,
    image=images,
    groups=st.sampled_from([1, 2, 3]),
    planes=st.booleans(),
    layout=layouts,
    seed=seeds,
)
def test_im2col_and_col2im_are_adjoint(kernel, stride, dilation, image, groups, planes, layout, seed):
    """<im2col(x), g> = <x, col2im(g)>: im2col reads a pixel once per patch, and col2im adds to it once per patch."""
    assume(min(output_size(image, kernel, stride, dilation)) > 0)
    x = array((2, 2 * groups, *image), layout=layout, seed=seed)
    patches = im2col(x, kernel, stride, dilation, groups, planes)
    rows = np.moveaxis(windows(x, kernel, stride, dilation), 1, -1).reshape(len(patches[0]), *kernel, groups, 2)
    np.testing.assert_array_equal(patches, np.moveaxis(rows, 3, 0).reshape(patches.shape))
    g = array(patches.shape, seed=seed + 1)
    grad_x = np.full(x.shape, np.nan)
    col2im(g, grad_x, kernel, stride, dilation)
    np.testing.assert_allclose(dot(patches, g), dot(x, grad_x), rtol=0, atol=1e-13 * patches.size)


@given(image=images, sides=sides, mode=st.sampled_from(["zeros", *COPYING_MODES]), layout=layouts, seed=seeds)
def test_pad_is_numpys_and_unpad_its_adjoint(image, sides, mode, layout, seed):
    longest = {"reflect": -1, "circular": 0}.get(mode, 99)
    assume(all(max(side) <= length + longest for side, length in zip(sides, image, strict=True)))
    x = array((2, 3, *image), layout=layout, seed=seed)
    for channels_last in (True, False, None):
        padded = pad_images(x, sides, mode, channels_last=channels_last)
        np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), (0, 0), *sides), COPYING_MODES.get(mode, "constant")))
        if channels_last is not None:
            assert (padded.transpose(0, 2, 3, 1) if channels_last else padded).flags.c_contiguous
        g = array(padded.shape, seed=seed + 1)
        before = g.copy()
        np.testing.assert_allclose(dot(padded, g), dot(x, unpad_images(g, sides, mode)), rtol=0, atol=1e-13 * g.size)
        np.testing.assert_array_equal(g, before)


def test_nothing_is_copied_where_there_is_nothing_to_pad():
    none = ((0, 0), (0, 0))
    rows, columns = array((2, 3, 4, 5), layout="channels-last"), array((2, 3, 4, 5))
    assert pad_images(rows, none) is rows
    assert pad_images(columns, none) is columns
    assert pad_images(rows, none, channels_last=True) is rows
    assert pad_images(columns, none, channels_last=False) is columns


def test_padding_is_with_zeros_unless_it_is_said():
    x, sides = array((1, 1, 2, 3)), ((1, 2), (0, 1))
    np.testing.assert_array_equal(pad_images(x, sides), pad_images(x, sides, "zeros"))
    np.testing.assert_array_equal(unpad_images(pad_images(x, sides), sides), x)


def test_pad_takes_any_value():
    np.testing.assert_array_equal(
        pad_images(np.ones((1, 1, 1, 1)), ((1, 0), (0, 2)), value=-np.inf)[0, 0, 0], [-np.inf] * 3
    )


@given(block=pairs, image=images, spare=st.tuples(st.integers(0, 2), st.integers(0, 2)), layout=layouts, seed=seeds)
def test_blocks_and_back_are_adjoint(block, image, spare, layout, seed):
    size = tuple(length // b for length, b in zip(image, block, strict=True))
    assume(min(size) > 0)
    x = array((2, 3, *image), layout=layout, seed=seed)
    blocks = into_blocks(x, block, size)
    g = array(blocks.shape, seed=seed + 1)
    back = np.full(x.shape, np.nan)
    out_of_blocks(g, back, block)
    np.testing.assert_allclose(dot(blocks, g), dot(x, back), rtol=0, atol=1e-13 * g.size)


@pytest.mark.parametrize(
    ("image", "kernels", "stride", "way"),
    [
        ((28, 28), (32, 1, 3, 3), (1, 1), "planes, col2im"),
        ((14, 14), (64, 7, 3, 3), (1, 1), "rows, flipped"),
        ((14, 14), (7, 64, 3, 3), (1, 1), "rows, flipped"),
        ((14, 14), (8, 8, 3, 3), (1, 1), "tiles, or rows, col2im"),
        ((84, 84), (32, 4, 8, 8), (4, 4), "tiles, or blocks, col2im"),
        ((20, 20), (64, 32, 4, 4), (2, 2), "blocks, flipped"),
        ((84, 84), (32, 1, 4, 4), (2, 2), "blocks, flipped"),
        ((9, 9), (64, 64, 3, 3), (2, 2), "rows, col2im"),
    ],
)
def test_the_way_that_is_chosen(image, kernels, stride, way):
    sides = ((1, 1), (1, 1)) if stride == (1, 1) else ((0, 0), (0, 0))
    plan = PatchPlan(image, kernels, stride, (1, 1), sides, "zeros", 1)
    copying = "blocks" if plan.block != (1, 1) else "planes" if plan.planes else "rows"
    tiles = "tiles, or " if plan.form is not None else ""
    assert f"{tiles}{copying}, {'flipped' if plan.flipped else 'col2im'}" == way


def plan_of(image=(9, 8), kernels=(6, 5, 3, 3), stride=(1, 1), dilation=(1, 1), sides=NO_SIDES, mode="zeros", groups=1):
    """Return the plan of a convolution that is ordinary except for what is given."""
    return PatchPlan(image, kernels, stride, dilation, sides, mode, groups)


@pytest.mark.parametrize(
    ("stride", "more", "block"),
    [
        ((1, 1), {}, (1, 1)),
        ((3, 1), {}, (3, 1)),
        ((1, 3), {}, (1, 3)),
        ((2, 1), {"kernels": (6, 5, 4, 3)}, (2, 1)),
        ((1, 2), {"kernels": (6, 5, 3, 4)}, (1, 2)),
        ((2, 1), {}, (1, 1)),
        ((3, 3), {"dilation": (1, 2)}, (1, 1)),
        ((3, 3), {"dilation": (2, 1)}, (1, 1)),
        ((3, 3), {"groups": 2}, (1, 1)),
    ],
)
def test_blocks_are_for_whole_strides(stride, more, block):
    plan = plan_of(stride=stride, **more)
    assert plan.block == block
    if block != (1, 1):
        assert (plan.stride, plan.direct) == ((1, 1), False)


ONE_SIDE = [((1, 0), (0, 0)), ((0, 1), (0, 0)), ((0, 0), (1, 0)), ((0, 0), (0, 1))]


@pytest.mark.parametrize("sides", [NO_SIDES, *ONE_SIDE, ((1, 1), (1, 1))])
def test_a_gradient_comes_straight_back_to_the_image_unless_its_pixels_were_copied(sides):
    assert plan_of(sides=sides).direct
    assert plan_of(sides=sides, mode="reflect").direct == (sides == NO_SIDES)


@pytest.mark.parametrize(
    ("flipped", "options"),
    [
        (True, {"sides": ((2, 2), (2, 2))}),  # nothing is left to pad grad_y with
        (False, {"sides": ((3, 0), (0, 0))}),  # nor is a padding taken away
        (True, {"image": (3, 4), "kernels": (6, 5, 2, 1)}),  # 12 pixels of x for 8 of y: half as many more
        (False, {"image": (3, 5), "kernels": (6, 5, 2, 2)}),  # 15 for 8
        (True, {"image": (2, 3), "sides": ((1, 1), (1, 1))}),  # 6 for 6: what is padded does not count
        (False, {"image": (2, 3), "sides": ((1, 1), (1, 1)), "mode": "reflect"}),  # 20 for 6: it does
        (False, {"stride": (2, 2)}),
    ],
)
def test_when_the_kernel_is_flipped(flipped, options):
    assert plan_of(**options).flipped == flipped


def test_a_plan_says_how_much_memory_an_image_takes():
    plan = plan_of(image=(9, 8), kernels=(6, 5, 3, 2), groups=2)  # 7 x 7 places, patches of 2 x 30, 6 outputs
    assert plan.image_bytes(np.dtype(np.float32)) == 49 * (60 + 6) * 4
    assert plan.image_bytes(np.dtype(np.float64)) == 49 * (60 + 6) * 8


def test_patches_of_a_channels_last_image_are_copied_in_its_order():
    x = memory.empty((2, 4, 5, 6), np.float32, channels_last=True)
    assert pad_images(x, ((0, 0), (0, 0)), channels_last=True) is x
