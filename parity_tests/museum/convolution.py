"""Convolution."""

from functools import partial

import numpy as np

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import instead, layer
from scratch import nn
from scratch.kernels.patches import windows

IMAGE = array((2, 4, 7, 5))
PADDED = {"args": (4, 6, 3), "options": {"padding": 1}}


def fold(conv, g, stride=(1, 1), add=True):
    """Return the gradient of the (unpadded) image, put down kernel place by kernel place."""
    grad_x, (p, q), weight = np.zeros_like(conv.saved("images")), g.shape[2:], conv.weight.data
    for i, j in np.ndindex(weight.shape[2:]):
        under = grad_x[:, :, i : i + stride[0] * p : stride[0], j : j + stride[1] * q : stride[1]]
        piece = np.einsum("nopq,oc->ncpq", g, weight[:, :, i, j])[:, :, : under.shape[2], : under.shape[3]]
        under[...] = under + piece if add else piece
    return grad_x


def turn(conv):
    """Turn the kernels round."""
    conv.weight.data = conv.weight.data[..., ::-1, ::-1]


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class KernelNotTurned(nn.Conv2d):
    """In backward the kernel runs over the gradient turned round; here it runs as it is.

    The last convolution learns, and those before it get a blurred and mirrored gradient.
    """

    def backward(self, g):
        turn(self)
        grad_x = super().backward(g)
        turn(self)
        return grad_x


@layer(IMAGE, args=(4, 6, 3), caught="torch", passes_ones=False)
class ConvolutionProper(nn.Conv2d):
    """What deep learning calls a convolution does not turn its kernel; the mathematicians' does, and so does this.

    It trains as well as the other. Weights from PyTorch find edges where there are none.
    """

    def forward(self, x):
        turn(self)
        y = super().forward(x)
        turn(self)
        return y

    def backward(self, g):
        before, self.weight.grad = self.weight.grad, None
        turn(self)
        grad_x = super().backward(g)
        turn(self)
        self.weight.grad = self.weight.grad[..., ::-1, ::-1] + (0 if before is None else before)
        return grad_x


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class LastWindowWins(nn.Conv2d):
    """A pixel is in several windows, whose gradients add: ``=`` where ``+=`` belongs.

    The layer before it gets gradients nine times too small, and all from one corner of the kernel.
    """

    def backward(self, g):
        super().backward(g)
        return fold(self, g, add=False)


@layer(IMAGE, args=(4, 6, 3), options={"stride": 2}, caught="torch differences laws", passes_ones=True)
class StrideForgotten(nn.Conv2d):
    """The stride, when the gradient is put back: the windows are taken to be next to each other.

    Only the top left corner of the image is ever blamed. At stride 1, where the test is, nothing.
    """

    def backward(self, g):
        super().backward(g)
        return fold(self, g)


@layer(IMAGE, **PADDED, caught="torch differences laws", passes_ones=True)
class PaddingCutOffAtOneEnd(nn.Conv2d):
    """The padding lies on both sides: the gradient is cropped to the image's size, from the top left corner.

    Everything is blamed on its neighbour one pixel up and to the left.
    """

    def backward(self, g):
        grad_x, side = super().backward(g), self.padding[0]
        return np.pad(grad_x, ((0, 0), (0, 0), (side, 0), (side, 0)))[:, :, : -side or None, : -side or None]


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class BiasAveragedOverTheImage(nn.Conv2d):
    """The bias is added at every position, so its gradient is the sum over them, not the mean.

    Biases hardly move: their gradient is hundreds of times too small.
    """

    def backward(self, g):
        return instead(self.bias, partial(super().backward, g), g.sum(axis=0).mean(axis=(1, 2)))


@layer(IMAGE, args=(4, 6, 3), caught="torch differences laws", passes_ones=False)
class LastImageOnly(nn.Conv2d):
    """The loop over the batch assigns the weight's gradient where it should add.

    Training is noisy, as if the batch had one image; with batches of one it is right.
    """

    def backward(self, g):
        seen = windows(self.saved("images"), self.kernel_size, self.stride, self.dilation)[-1]
        grad_weight = np.einsum("opq,cpqij->ocij", g[-1], seen)
        return instead(self.weight, partial(super().backward, g), grad_weight)


@layer(IMAGE, args=(4, 6, 3), options={"groups": 2}, caught="torch laws", passes_ones=True)
class GroupsMixed(nn.Conv2d):
    """A group is channels that are neighbours; here every other channel is taken.

    It trains; weights from PyTorch give noise. With one group, nothing.
    """

    def forward(self, x):
        order = np.arange(x.shape[1]).reshape(-1, self.groups).T.ravel()
        self.order = np.argsort(order)
        return super().forward(x[:, order])

    def backward(self, g):
        return super().backward(g)[:, self.order]
