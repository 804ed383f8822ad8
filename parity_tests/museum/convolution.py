"""Convolution."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.conv import conv2d, conv2d_backward
from scratch.nn.conv_transpose import conv_transpose2d, conv_transpose2d_backward
from scratch.nn.padding import pad, pad_backward

IMAGE = array((2, 4, 7, 5))
SEQUENCE = array((2, 4, 9))
PADDED = {"args": (4, 6, 3), "options": {"padding": 1}}


def kernel_not_flipped_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, with the input's gradient made of the flipped kernel's patches."""
    _, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    grad_x, *_ = conv2d_backward(grad_y, weight[..., ::-1, ::-1], stride, dilation, groups, saved)
    return grad_x, grad_weight, grad_bias


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class KernelNotFlipped(nn.Conv2d):
    """The input's gradient is a convolution of the upstream gradient with the flipped kernel; here it is not flipped.

    The last convolution learns; those before it get a blurred and mirrored gradient.
    """

    functions = conv2d, kernel_not_flipped_backward


def true_convolution(x, weight, bias, stride, padding, dilation, groups, padding_mode):
    """Convolve with the flipped kernel."""
    return conv2d(x, weight[..., ::-1, ::-1], bias, stride, padding, dilation, groups, padding_mode)


def true_convolution_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `true_convolution`."""
    flipped = weight[..., ::-1, ::-1]
    grad_x, grad_flipped, grad_bias = conv2d_backward(grad_y, flipped, stride, dilation, groups, saved)
    return grad_x, grad_flipped[..., ::-1, ::-1], grad_bias


@layer(IMAGE, args=(4, 6, 3), caught="torch", passes_ones=False)
class ConvolutionProper(nn.Conv2d):
    """Deep learning's convolution does not flip its kernel (it is a cross-correlation); that of mathematics does.

    It trains just as well. Weights from PyTorch find edges where there are none.
    """

    functions = true_convolution, true_convolution_backward


def col2im(grad_patches, weight, x1_shape, size, stride, add):
    """Return the gradient of the padded image for one group, with what ``add`` does in place of ``+=``."""
    grad_windows = grad_patches[0].reshape(x1_shape[0], *size, x1_shape[1], *weight.shape[2:])
    grad_x1 = np.zeros(x1_shape, grad_patches.dtype)
    for i, j in np.ndindex(weight.shape[2:]):
        pixels = grad_x1[:, :, i : i + stride[0] * size[0] : stride[0], j : j + stride[1] * size[1] : stride[1]]
        piece = grad_windows[..., i, j].transpose(0, 3, 1, 2)[:, :, : pixels.shape[2], : pixels.shape[3]]
        pixels[...] = add(pixels, piece)
    return grad_x1


def grad_patches_of(grad_y, weight):
    """Return the gradient of the patches, for one group."""
    grad_rows = grad_y.transpose(0, 2, 3, 1).reshape(1, -1, len(weight))
    return grad_rows @ weight.reshape(1, len(weight), -1)


def last_window_wins_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, but for col2im, which assigns."""
    _, x1_shape, saved_by_pad = saved
    _, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    grad_patches = grad_patches_of(grad_y, weight)
    grad_x1 = col2im(grad_patches, weight, x1_shape, grad_y.shape[2:], stride, lambda old, new: new)
    return pad_backward(grad_x1, saved_by_pad), grad_weight, grad_bias


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class LastWindowWins(nn.Conv2d):
    """A pixel is in several windows, whose gradients add up: col2im has ``=`` where ``+=`` belongs.

    The layer before gets gradients nine times too small, all from one corner of the kernel.
    """

    functions = conv2d, last_window_wins_backward


def stride_forgotten_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, but for col2im, which has stride 1."""
    _, x1_shape, saved_by_pad = saved
    _, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    grad_x1 = col2im(grad_patches_of(grad_y, weight), weight, x1_shape, grad_y.shape[2:], (1, 1), np.add)
    return pad_backward(grad_x1, saved_by_pad), grad_weight, grad_bias


@layer(IMAGE, args=(4, 6, 3), options={"stride": 2}, caught="torch differences laws", passes_ones=True)
class StrideForgotten(nn.Conv2d):
    """col2im has to place the patches a stride apart; here it places them one pixel apart.

    Only the top left corner of the image ever gets a gradient. At stride 1, which the test uses, it has no effect.
    """

    functions = conv2d, stride_forgotten_backward


def padding_cut_off_at_one_end_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, but cut off all of the padding at the bottom and on the right."""
    patches, x1_shape, (_, x_shape) = saved
    _, saved_without_padding = pad(np.zeros(x1_shape), ((0, 0), (0, 0)), "zeros")
    kept = patches, x1_shape, saved_without_padding
    grad_x1, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, kept)
    return grad_x1[:, :, : x_shape[2], : x_shape[3]], grad_weight, grad_bias


@layer(IMAGE, **PADDED, caught="torch differences laws", passes_ones=True)
class PaddingCutOffAtOneEnd(nn.Conv2d):
    """The padding is on both sides; here the gradient is cropped to the image's size from the top left corner.

    Every gradient arrives one pixel too far down and to the right.
    """

    functions = conv2d, padding_cut_off_at_one_end_backward


def bias_averaged_over_the_image_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, with the bias's gradient averaged over the positions."""
    grad_x, grad_weight, _ = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    return grad_x, grad_weight, grad_y.sum(axis=0).mean(axis=(1, 2))


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class BiasAveragedOverTheImage(nn.Conv2d):
    """The bias is added at every position, so its gradient is the sum over them, not the mean.

    Biases hardly move: their gradient is too small by the number of positions, often hundreds.
    """

    functions = conv2d, bias_averaged_over_the_image_backward


def last_image_only_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, with the weight's gradient that of the last image."""
    grad_x, _, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    last = np.zeros_like(grad_y)
    last[-1:] = grad_y[-1:]
    return grad_x, conv2d_backward(last, weight, stride, dilation, groups, saved)[1], grad_bias


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class LastImageOnly(nn.Conv2d):
    """The loop over the batch assigns the weight's gradient where it should add to it.

    Training is as noisy as if the batch had one image; with batches of one it is right.
    """

    functions = conv2d, last_image_only_backward


def every_other_channel(channels, groups):
    """Return the channels' numbers in an order that puts those that are ``groups`` apart next to each other."""
    return np.arange(channels).reshape(-1, groups).T.ravel()


def groups_mixed(x, weight, bias, stride, padding, dilation, groups, padding_mode):
    """Convolve, with every other channel in a group."""
    mixed = x[:, every_other_channel(x.shape[1], groups)]
    return conv2d(mixed, weight, bias, stride, padding, dilation, groups, padding_mode)


def groups_mixed_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `groups_mixed`."""
    grad_mixed, *rest = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    return grad_mixed[:, np.argsort(every_other_channel(grad_mixed.shape[1], groups))], *rest


@layer(IMAGE, args=(4, 6, 3), options={"groups": 2}, caught="torch laws", passes_ones=True)
class GroupsMixed(nn.Conv2d):
    """A group consists of neighbouring channels; here it takes every other channel.

    It trains, but weights from PyTorch give noise. With one group there is no effect.
    """

    functions = groups_mixed, groups_mixed_backward


# Transposed, and of sequences.


def kernels_overwritten(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """Add one kernel after the other, for one group, with neither padding nor dilation."""
    y, saved = conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)
    patches = np.einsum("nchw,coij->nohwij", x, weight)
    placed = np.zeros_like(y)
    for i, j in np.ndindex(weight.shape[2:]):
        rows = slice(i, i + stride[0] * (x.shape[2] - 1) + 1, stride[0])
        columns = slice(j, j + stride[1] * (x.shape[3] - 1) + 1, stride[1])
        placed[:, :, rows, columns] = patches[..., i, j]
    return placed + np.reshape(bias, (-1, 1, 1)), saved


@layer(
    IMAGE, args=(4, 6, 3, 2), caught="torch differences laws", passes_ones=True, of="ConvTranspose2d ConvTranspose1d"
)
class KernelsOverwritten(nn.ConvTranspose2d):
    """Where the kernels of neighbouring pixels overlap, they add up; ``=`` stands where ``+=`` belongs.

    Generated images have a grid of seams. With a stride as large as the kernel there is no effect.
    """

    functions = kernels_overwritten, conv_transpose2d_backward


def output_padding_at_the_top(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """Add output_padding's rows and columns at the top and on the left."""
    y, saved = conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return np.roll(y, output_padding, axis=(2, 3)), (output_padding, saved)


def output_padding_at_the_top_backward(grad_y, weight, stride, padding, groups, dilation, saved):
    """Undo `output_padding_at_the_top`."""
    (down, across), rest = saved
    rolled = np.roll(grad_y, (-down, -across), axis=(2, 3))
    return conv_transpose2d_backward(rolled, weight, stride, padding, groups, dilation, rest)


@layer(
    IMAGE,
    args=(4, 6, 3, 2),
    options={"output_padding": 1},
    caught="torch laws",
    passes_ones=True,
    of="ConvTranspose2d ConvTranspose1d",
)
class OutputPaddingAtTheTop(nn.ConvTranspose2d):
    """output_padding is added at the bottom and on the right; here at the top and on the left.

    It trains, but with weights from PyTorch each such layer shifts the image by a pixel.
    """

    functions = output_padding_at_the_top, output_padding_at_the_top_backward


def weight_of_a_convolution(x, weight, bias, stride, padding, output_padding, groups, dilation):
    """Add flipped kernels, as if this were a convolution of x."""
    flipped = weight[..., ::-1, ::-1]
    return conv_transpose2d(x, flipped, bias, stride, padding, output_padding, groups, dilation)


def weight_of_a_convolution_backward(grad_y, weight, stride, padding, groups, dilation, saved):
    """Undo `weight_of_a_convolution`."""
    flipped = weight[..., ::-1, ::-1]
    grad_x, grad_flipped, grad_bias = conv_transpose2d_backward(
        grad_y, flipped, stride, padding, groups, dilation, saved
    )
    return grad_x, grad_flipped[..., ::-1, ::-1], grad_bias


@layer(SEQUENCE, args=(4, 6, 3), caught="torch laws", passes_ones=True, of="ConvTranspose1d ConvTranspose2d")
class KernelTurned(nn.ConvTranspose1d):
    """Written as a convolution of x it needs the flipped kernel; here the kernel is flipped once too often.

    It trains just as well, but it is not the transpose of a convolution with the same weight.
    """

    functions = weight_of_a_convolution, weight_of_a_convolution_backward


def odd_one_at_the_front(x, weight, bias, stride, padding, dilation, groups, padding_mode):
    """Convolve, with the two sides of the padding exchanged."""
    exchanged = tuple(side[::-1] for side in padding)
    return conv2d(x, weight, bias, stride, exchanged, dilation, groups, padding_mode)


@layer(SEQUENCE, args=(4, 6, 4), options={"padding": "same"}, caught="torch", passes_ones=True, of="Conv1d Conv2d")
class OddOneAtTheFront(nn.Conv1d):
    """For padding='same' with an even kernel, the extra place is added at the end; here it is at the front.

    It trains, but with weights from PyTorch each such layer shifts the sequence by one place.
    """

    functions = odd_one_at_the_front, conv2d_backward
