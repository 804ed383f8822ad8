"""Padding, upsampling, and pixels made of channels."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.padding import pad, pad_backward
from scratch.nn.pixel_shuffle import pixel_shuffle, pixel_shuffle_backward, pixel_unshuffle
from scratch.nn.upsample import (
    upsample_bilinear2d,
    upsample_bilinear2d_backward,
    upsample_nearest2d,
)

IMAGE = array((2, 3, 4, 5))
SEQUENCE = array((2, 3, 6))


def sides_in_reading_order(x, padding, mode, value):
    """Pad as if the four numbers were top, bottom, left, right."""
    return pad(x, padding[::-1], mode, value)


@layer(
    IMAGE, args=((2, 1, 0, 1),), caught="torch laws", passes_ones=True, of="ZeroPad2d ReplicationPad2d CircularPad2d"
)
class SidesInReadingOrder(nn.ZeroPad2d):
    """The four numbers are left, right, top, bottom: PyTorch counts from the last axis. Here rows come first.

    With one number for all sides there is no effect.
    """

    functions = sides_in_reading_order, pad_backward


def value_in_the_gradient(x, padding, mode, value):
    """Pad, and keep the value."""
    y, saved = pad(x, padding, mode, value)
    return y, (value, saved)


def value_in_the_gradient_backward(grad_y, saved):
    """Undo `value_in_the_gradient`, with the value added to the gradient."""
    value, rest = saved
    return pad_backward(grad_y, rest) + value


@layer(IMAGE, args=((2, 1, 0, 1), 0.5), caught="torch differences laws", passes_ones=False, of="ConstantPad2d")
class ValueInTheGradient(nn.ConstantPad2d):
    """The value is a constant, which has no part in the gradient; here it is added to it.

    With a value of 0 there is no effect.
    """

    functions = value_in_the_gradient, value_in_the_gradient_backward


def cut_off_at_the_end_backward(grad_y, saved):
    """Undo `pad`, with all of what was added cut off at the end."""
    _, x_shape = saved
    return grad_y[..., : x_shape[3]].copy()


@layer(SEQUENCE, args=((2, 1), 0.5), caught="torch differences laws", passes_ones=True, of="ConstantPad1d ZeroPad1d")
class CutOffAtTheEnd(nn.ConstantPad1d):
    """The padding is at both ends; here the gradient is cropped to the sequence's length from the beginning.

    Every gradient arrives too late, by as many places as were added at the front.
    """

    functions = pad, cut_off_at_the_end_backward


def edge_repeated(x, padding, mode, value):
    """Pad with the mirror image, the row and column at the mirror included."""
    numbers = np.arange(x[0, 0].size).reshape(x.shape[2:]) + 1
    source = np.pad(numbers, padding, mode="symmetric")
    pixels = np.pad(x.reshape(*x.shape[:2], -1), ((0, 0), (0, 0), (1, 0)))
    return pixels[:, :, source], (source, x.shape)


@layer(IMAGE, args=((2, 1, 0, 1),), caught="torch", passes_ones=False, of="ReflectionPad2d ReflectionPad1d")
class EdgeRepeated(nn.ReflectionPad2d):
    """A reflection does not repeat the last pixel: it is NumPy's "reflect", not its "symmetric".

    It trains, but with weights from PyTorch the borders are off by a pixel.
    """

    functions = edge_repeated, pad_backward


def copies_forgotten_backward(grad_y, saved):
    """Undo `pad` as if zeros had been added."""
    source, x_shape = saved
    number = np.zeros(x_shape[2] * x_shape[3] + 1, int)
    grad_x = np.zeros((*x_shape[:2], len(number)), grad_y.dtype)
    for place in np.ndindex(source.shape):
        number[source[place]] += 1
        if number[source[place]] == 1:
            grad_x[:, :, source[place]] = grad_y[:, :, *place]
    return grad_x[:, :, 1:].reshape(x_shape)


@layer(
    SEQUENCE, args=((2, 1),), caught="torch differences laws", passes_ones=False, of="ReplicationPad1d ReplicationPad2d"
)
class CopiesForgotten(nn.ReplicationPad1d):
    """A pixel that is copied to several places gets the sum of their gradients; here it gets only the first.

    The borders of a network's input learn too slowly.
    """

    functions = pad, copies_forgotten_backward


def wrapped_the_wrong_way(x, padding, mode, value):
    """Pad with the beginning in front, and with the end at the end."""
    (left, right), length = padding[1], x.shape[3]
    source = 1 + np.r_[0:left, 0:length, length - right : length][None]
    pixels = np.pad(x.reshape(*x.shape[:2], -1), ((0, 0), (0, 0), (1, 0)))
    return pixels[:, :, source], (source, x.shape)


@layer(SEQUENCE, args=((2, 1),), caught="torch", passes_ones=False, of="CircularPad1d CircularPad2d")
class WrappedTheWrongWay(nn.CircularPad1d):
    """On a circle, the end comes before the beginning; here the beginning is repeated there instead.

    It trains, but a shifted circle no longer gives the same output, shifted.
    """

    functions = wrapped_the_wrong_way, pad_backward


def last_copy_only_backward(grad_y, saved):
    """Undo `upsample_nearest2d`, with assignments in place of sums."""
    rows, columns, x_shape = saved
    grad_x = np.zeros(x_shape, grad_y.dtype)
    for p, q in np.ndindex(grad_y.shape[2:]):
        grad_x[:, :, rows[p], columns[q]] = grad_y[:, :, p, q]
    return grad_x


@layer(IMAGE, args=(None, 2), caught="torch differences laws", passes_ones=False)
class LastCopyOnly(nn.Upsample):
    """A pixel that is copied several times gets the sum of the gradients; ``=`` stands where ``+=`` belongs.

    Each such layer makes the gradients of the layers before it about four times too small.
    """

    functions = upsample_nearest2d, last_copy_only_backward


def corners_aligned(x, size, step, align_corners):
    """Interpolate, with the centres of the corner pixels of both images aligned."""
    aligned = tuple((n - 1) / (count - 1) for n, count in zip(x.shape[2:], size, strict=True))
    return upsample_bilinear2d(x, size, aligned, True)


@layer(IMAGE, args=(None, 2, "bilinear"), caught="torch", passes_ones=False)
class CornersAligned(nn.Upsample):
    """By default the edges of both images are aligned; here the centres of their outermost pixels are.

    It trains, but segmentations are off by up to half a pixel, most at the border.
    """

    functions_bilinear = corners_aligned, upsample_bilinear2d_backward


def blocks_first(x, factor):
    """Make pixels of channels, where those of the same place in their blocks are next to each other."""
    split = x.reshape(len(x), factor**2, x.shape[1] // factor**2, *x.shape[2:])
    y, saved = pixel_shuffle(split.swapaxes(1, 2).reshape(x.shape), factor)
    return y, (split.shape, saved)


def blocks_first_backward(grad_y, saved):
    """Undo `blocks_first`."""
    (n, squared, channels, h, w), rest = saved
    grad_x = pixel_shuffle_backward(grad_y, rest)
    return grad_x.reshape(n, channels, squared, h, w).swapaxes(1, 2).reshape(grad_x.shape)


@layer(array((2, 8, 3, 2)), args=(2,), caught="torch", passes_ones=True)
class BlocksFirst(nn.PixelShuffle):
    """The channels of a block are adjacent; in TensorFlow's depth_to_space those of one place in the blocks are.

    It trains, but weights from PyTorch mix up the colours. With one output channel there is no effect.
    """

    functions = blocks_first, blocks_first_backward


def rows_for_columns_backward(grad_y, saved):
    """Undo `pixel_unshuffle`, with the two axes of a block exchanged."""
    blocks_shape, x_shape = saved
    return grad_y.reshape(blocks_shape).transpose(0, 1, 4, 3, 5, 2).reshape(x_shape)


@layer(array((2, 2, 4, 6)), args=(2,), caught="torch differences laws", passes_ones=True)
class RowsForColumns(nn.PixelUnshuffle):
    """Backward has to put each pixel of a block back where it was; here the block's rows and columns are exchanged.

    The layers before get each block's gradient transposed: horizontal edges learn to be vertical.
    """

    functions = pixel_unshuffle, rows_for_columns_backward
