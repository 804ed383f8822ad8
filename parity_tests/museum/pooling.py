"""Pooling."""

import math

import numpy as np

from parity_tests.harness.arrays import array, distinct, tied
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.adaptive_pooling import adaptive_avg_pool2d, adaptive_avg_pool2d_backward
from scratch.nn.avg_pooling import avg_pool2d, avg_pool2d_backward
from scratch.nn.max_pooling import max_pool2d, max_pool2d_backward

IMAGE = distinct((2, 3, 7, 5))
TIES = tied((2, 3, 6, 4))
SEQUENCE = distinct((2, 3, 8))
DARK = -np.abs(array((2, 3, 6, 4)))


def max_pool2d_that_keeps_all(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Pool, and keep the input and the output."""
    y, _, indices = max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return y, (x, y), indices


def every_tie_paid_backward(grad_y, kernel_size, saved):
    """Undo `max_pool2d` of adjacent windows, with the gradient for each pixel that equals the maximum."""
    x, y = saved
    down, across = kernel_size
    return (x == y.repeat(down, 2).repeat(across, 3)) * grad_y.repeat(down, 2).repeat(across, 3)


@layer(TIES, args=(2,), caught="torch laws", passes_ones=True)
class EveryTiePaid(nn.MaxPool2d):
    """A window has one winner; here every pixel that equals the maximum gets the full gradient.

    No effect with random numbers. After a ReLU, whose zeros are tied everywhere, gradients are many times too large.
    """

    functions = max_pool2d_that_keeps_all, every_tie_paid_backward


def padded_with_zeros(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Pad with zeros, and pool."""
    (top, left), size = padding, x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (top, top), (left, left)))
    y, saved, indices = max_pool2d(padded, kernel_size, stride, (0, 0), dilation, ceil_mode, return_indices)
    return y, (top, left, *size, saved), indices


def padded_with_zeros_backward(grad_y, saved):
    """Undo `padded_with_zeros`."""
    top, left, height, width, saved_by_pooling = saved
    return max_pool2d_backward(grad_y, saved_by_pooling)[:, :, top : top + height, left : left + width]


@layer(DARK, args=(2,), options={"padding": 1}, caught="torch laws", passes_ones=True)
class PaddedWithZeros(nn.MaxPool2d):
    """Padding must never win, so it has to be minus infinity, not zero.

    Along the border, features that should be negative are zero, and get no gradient.
    """

    functions = padded_with_zeros, padded_with_zeros_backward


def overlap_overwritten_backward(grad_y, saved):
    """Undo `max_pool2d`, with assignments in place of sums."""
    argmax, x_shape = saved
    grad_pixels = np.zeros((*x_shape[:2], 1 + math.prod(x_shape[2:])), grad_y.dtype)
    for image in np.ndindex(*x_shape[:2]):
        grad_pixels[image][argmax[image]] = grad_y[image]
    return grad_pixels[:, :, 1:].reshape(x_shape)


@layer(IMAGE, args=(3, 2), caught="torch differences laws", passes_ones=False)
class OverlapOverwritten(nn.MaxPool2d):
    """A pixel may win several overlapping windows, whose gradients add up; ``=`` stands where ``+=`` belongs.

    The strongest features, which win most windows, learn too slowly.
    """

    functions = max_pool2d, overlap_overwritten_backward


def share_forgotten_backward(grad_y, kernel_size, stride, padding, saved):
    """Undo `avg_pool2d` as if it took the sum."""
    return avg_pool2d_backward(grad_y, kernel_size, stride, padding, saved) * math.prod(kernel_size)


@layer(IMAGE, args=(2,), caught="torch differences laws", passes_ones=False)
class ShareForgotten(nn.AvgPool2d):
    """Each pixel has the share 1 / k^2 of its window's mean; here it gets the whole gradient.

    Gradients grow fourfold at each pooling; a network with several of them explodes.
    """

    functions = avg_pool2d, share_forgotten_backward


def padding_counted(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Pool, and always divide by the window's area."""
    return avg_pool2d(x, kernel_size, stride, padding, ceil_mode, True, math.prod(kernel_size))


@layer(IMAGE, args=(3, 2), options={"padding": 1, "count_include_pad": False}, caught="torch laws", passes_ones=True)
class PaddingCounted(nn.AvgPool2d):
    """With count_include_pad=False the mean is over the window's real pixels only; here it is always over k^2.

    The border of every feature map is too dark.
    """

    functions = padding_counted, avg_pool2d_backward


def windows_rounded_down(x, output_size):
    """Pool, with windows that end too early."""
    rows, columns = (
        [slice(place * length // count, (place + 1) * length // count) for place in range(count)]
        for length, count in zip(x.shape[2:], output_size, strict=True)
    )
    y = np.empty((*x.shape[:2], *output_size), x.dtype)
    for p, q in np.ndindex(*output_size):
        y[:, :, p, q] = x[:, :, rows[p], columns[q]].mean(axis=(2, 3))
    return y, (x, rows, columns)


@layer(array((2, 3, 7, 5)), args=((3, 2),), caught="torch laws", passes_ones=False)
class WindowsRoundedDown(nn.AdaptiveAvgPool2d):
    """A window ends at the first pixel past its share, rounded up; here it is rounded down.

    Right where the sizes divide evenly; otherwise pixels between the windows are lost.
    """

    functions = windows_rounded_down, adaptive_avg_pool2d_backward


def windows_of_one_size(x, output_size):
    """Pool, with the stride rounded down, and windows as long as it takes for the last to reach the end."""
    sides = []
    for length, count in zip(x.shape[2:], output_size, strict=True):
        stride = length // count
        sides.append([slice(place * stride, length - (count - 1 - place) * stride) for place in range(count)])
    rows, columns = sides
    y = np.empty((*x.shape[:2], *output_size), x.dtype)
    for p, q in np.ndindex(*output_size):
        y[:, :, p, q] = x[:, :, rows[p], columns[q]].mean(axis=(2, 3))
    return y, (x, rows, columns)


@layer(array((2, 3, 11)), args=(4,), caught="torch", passes_ones=False, of="AdaptiveAvgPool1d AdaptiveAvgPool2d")
class WindowsOfOneSize(nn.AdaptiveAvgPool1d):
    """AvgPool1d with stride L // Q and kernel_size L - (Q - 1) stride, as in many an export to another format.

    Right where Q divides L; otherwise all that remains goes into every window, which see more of the same places.
    """

    functions = windows_of_one_size, adaptive_avg_pool2d_backward


def mean_window_backward(grad_y, saved):
    """Undo `adaptive_avg_pool2d` as if all windows had the mean size."""
    x, rows, columns = saved
    grad_x = np.zeros_like(x)
    n = math.prod(x.shape[2:]) / math.prod(grad_y.shape[2:])
    for p, q in np.ndindex(*grad_y.shape[2:]):
        grad_x[:, :, rows[p], columns[q]] += grad_y[:, :, p, q, None, None] / n
    return grad_x


@layer(
    array((2, 3, 11)),
    args=(4,),
    caught="torch differences laws",
    passes_ones=False,
    of="AdaptiveAvgPool1d AdaptiveAvgPool2d",
)
class MeanWindow(nn.AdaptiveAvgPool1d):
    """A window's gradient is divided by the number of its own places; here it is by L / Q, the same for all.

    Right where Q divides L; otherwise the windows overlap, and the gradients are too large.
    """

    functions = adaptive_avg_pool2d, mean_window_backward


def place_in_the_window(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Pool, and return where in its window each maximum is."""
    y, saved, indices = max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return y, saved, None if indices is None else indices % math.prod(kernel_size)


@layer(
    SEQUENCE, args=(2,), options={"return_indices": True}, caught="torch", passes_ones=True, of="MaxPool1d MaxPool2d"
)
class PlaceInTheWindow(nn.MaxPool1d):
    """The indices count from the beginning of the sequence (or image), not from that of the window.

    Output and gradients are right. Unpooling with these indices puts all maxima into the first window.
    """

    functions = place_in_the_window, max_pool2d_backward


@layer(
    SEQUENCE,
    args=(3, 2),
    options={"ceil_mode": True},
    caught="torch laws",
    passes_ones=True,
    of="AvgPool1d AvgPool2d",
)
class BeyondCounted(nn.AvgPool1d):
    """With ceil_mode the last window may reach beyond the padding, which should not count; here it counts, as zeros.

    The end of every sequence is too small. Where the windows fit there is no effect.
    """

    functions = padding_counted, avg_pool2d_backward
