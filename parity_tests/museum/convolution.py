"""Convolution."""

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn
from scratch.nn.conv import conv2d, conv2d_backward
from scratch.nn.padding import pad, pad_backward

IMAGE = array((2, 4, 7, 5))
PADDED = {"args": (4, 6, 3), "options": {"padding": 1}}


def kernel_not_flipped_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, with the input's gradient made of the flipped kernel's patches."""
    _, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, saved)
    grad_x, *_ = conv2d_backward(grad_y, weight[..., ::-1, ::-1], stride, dilation, groups, saved)
    return grad_x, grad_weight, grad_bias


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class KernelNotFlipped(nn.Conv2d):
    """As a convolution of the upstream gradient, backward takes the flipped kernel; here it is not flipped.

    The last convolution learns, and those before it get a blurred and mirrored gradient.
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

    It trains as well as the other. Weights from PyTorch find edges where there are none.
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
    """A pixel is in several windows, whose gradients add: in col2im, ``=`` where ``+=`` belongs.

    The layer before it gets gradients nine times too small, and all from one corner of the kernel.
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
    """col2im has to put the patches down at the stride's distance: it takes the windows for neighbours.

    Only the top left corner of the image ever gets a gradient. At stride 1, where the test is, nothing.
    """

    functions = conv2d, stride_forgotten_backward


def padding_cut_off_at_one_end_backward(grad_y, weight, stride, dilation, groups, saved):
    """Undo `conv2d`, but for the padding, of which all is cut off at the bottom and on the right."""
    patches, x1_shape, (_, x_shape) = saved
    _, saved_without_padding = pad(np.zeros(x1_shape), ((0, 0), (0, 0)), "zeros")
    kept = patches, x1_shape, saved_without_padding
    grad_x1, grad_weight, grad_bias = conv2d_backward(grad_y, weight, stride, dilation, groups, kept)
    return grad_x1[:, :, : x_shape[2], : x_shape[3]], grad_weight, grad_bias


@layer(IMAGE, **PADDED, caught="torch differences laws", passes_ones=True)
class PaddingCutOffAtOneEnd(nn.Conv2d):
    """The padding is on both sides: the gradient is cropped to the image's size, from the top left corner.

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

    Biases hardly move: their gradient is hundreds of times too small.
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
    """The loop over the batch assigns the weight's gradient where it should add.

    Training is noisy, as if the batch had one image; with batches of one it is right.
    """

    functions = conv2d, last_image_only_backward


def every_other_channel(channels, groups):
    """Return the channels' numbers, those that are ``groups`` apart next to each other."""
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
    """A group is channels that are neighbours; here every other channel is taken.

    It trains; weights from PyTorch give noise. With one group, nothing.
    """

    functions = groups_mixed, groups_mixed_backward
