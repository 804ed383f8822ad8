"""Batch norm of (N, C, ...) in blocks of images that stay in the cache, in the input's memory order.

Backward is the simplification of `scratch.nn.batchnorm`.
"""

import math
from collections.abc import Callable

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.blocks import blocks
from scratch.kernels.channel_sums import ones

BLOCK_BYTES = 1 << 20
LONG_RUN = 1 << 13  # numbers in a run of NumPy's inner loop: so many that starting it costs next to nothing
# With so many places in an image, the BLAS multiplies and adds in one pass. With fewer, the call takes longer than the
# additions; with more, so many numbers are added one after the other that the rounding shows.
DOT_PLACES = range(1 << 6, LONG_RUN)


class Images:
    """Arrays (N, C, ...) in their memory order: (N, C, P), or (N, P, C) if the channels are next to each other."""

    def __init__(self, example: np.ndarray) -> None:
        self.shape, self.dtype = example.shape, example.dtype
        self.channels_last = memory.is_channels_last(example)
        n, c = example.shape[:2]
        places = math.prod(example.shape[2:])
        self.lines = (n, places, c) if self.channels_last else (n, c, places)
        self.takes_dots = not self.channels_last and places in DOT_PLACES
        self.count = max(n * places, 1)  # an empty batch has sums of zero, and its means are never read
        self.parts = blocks(n, places * c * example.itemsize, BLOCK_BYTES)

    def lay(self, array: np.ndarray) -> np.ndarray:
        """Return an array of the example's shape as lines; a copy if its memory order is different."""
        return (array.transpose(0, 2, 3, 1) if self.channels_last else array).reshape(self.lines)

    def stand(self, lines: np.ndarray) -> np.ndarray:
        """Undo `lay`."""
        if self.channels_last:
            n, c, h, w = self.shape
            return lines.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return lines.reshape(self.shape)

    def empty(self) -> np.ndarray:
        """Return lines of arbitrary contents."""
        return memory.empty(self.lines, self.dtype)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return a number for each channel so that it broadcasts against lines.

        If images are small, the numbers are repeated for each place, so that an operation is one long run, instead of a
        short one for each channel or place.
        """
        column = values if self.channels_last else values[:, np.newaxis]
        short = self.lines[2] < LONG_RUN and self.lines[0] > 2
        return np.broadcast_to(column, self.lines[1:]).copy() if short else column

    def channel_sum(self, lines: np.ndarray) -> np.ndarray:
        """Return the sums (C,) of some images over all but the channels."""
        n = len(lines)
        image = ones(n, self.dtype) @ lines.reshape(n, self.lines[1] * self.lines[2])
        return np.add.reduce(image.reshape(self.lines[1:]), axis=0 if self.channels_last else 1)

    def channel_dot(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the `channel_sum` (C,) of a product of two arrays."""
        if self.takes_dots:
            return np.add.reduce(np.vecdot(a, b), axis=0)
        return self.channel_sum(np.multiply(a, b, out=memory.empty(a.shape, a.dtype)))

    def sums(self, count: int, of_part: Callable[[slice], tuple]) -> np.ndarray:
        """Return the sums over all parts of the ``count`` arrays (C,) that ``of_part`` returns for each."""
        found = np.empty((len(self.parts), count, self.shape[1]), self.dtype)

        def work(numbered: tuple[int, slice]) -> None:
            found[numbered[0]] = of_part(numbered[1])

        threads.run(work, enumerate(self.parts))
        return np.add.reduce(found, axis=0)


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, tuple, np.ndarray, np.ndarray]:
    """Normalize each channel over the batch; also return its mean and variance."""
    images = Images(x)
    lines, centred, y = images.lay(x), images.empty(), images.empty()
    mean = images.sums(1, lambda part: (images.channel_sum(lines[part]),))[0] / images.count
    shift = images.spread(mean)

    def centre(part: slice) -> tuple:
        c = np.subtract(lines[part], shift, out=centred[part])
        return (images.channel_dot(c, c),)

    var = images.sums(1, centre)[0] / images.count
    inv_std = 1.0 / np.sqrt(var + eps)
    scale = inv_std * weight
    _scale_and_shift(images, centred, scale, bias, y)
    return images.stand(y), (images, centred, inv_std, scale), mean, var


def batch_norm_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm`."""
    images, centred, inv_std, scale = saved
    grads, grad_x, grad_weight, grad_bias = _sums(images, grad_y, centred, inv_std)
    of_centred = images.spread(grad_weight * inv_std / images.count)
    mean, factor = images.spread(grad_bias / images.count), images.spread(scale)

    def project(part: slice) -> None:
        out = grad_x[part]
        np.multiply(centred[part], of_centred, out=out)
        np.subtract(grads[part], out, out=out)
        out -= mean
        out *= factor

    threads.run(project, images.parts)
    return images.stand(grad_x), grad_weight, grad_bias


def batch_norm_inference(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, tuple]:
    """Normalize each channel by a mean and a variance that are constants."""
    images = Images(x)
    lines, centred, y = images.lay(x), images.empty(), images.empty()
    inv_std = 1.0 / np.sqrt(var + eps)
    scale, shift = inv_std * weight, images.spread(mean)
    threads.run(lambda part: np.subtract(lines[part], shift, out=centred[part]), images.parts)
    _scale_and_shift(images, centred, scale, bias, y)
    return images.stand(y), (images, centred, inv_std, scale)


def batch_norm_inference_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undo `batch_norm_inference`."""
    images, centred, inv_std, scale = saved
    grads, grad_x, grad_weight, grad_bias = _sums(images, grad_y, centred, inv_std)
    factor = images.spread(scale)
    threads.run(lambda part: np.multiply(grads[part], factor, out=grad_x[part]), images.parts)
    return images.stand(grad_x), grad_weight, grad_bias


def _scale_and_shift(images: Images, centred: np.ndarray, scale: np.ndarray, bias: np.ndarray, y: np.ndarray) -> None:
    factor, shift = images.spread(scale), images.spread(bias) if isinstance(bias, np.ndarray) else None

    def work(part: slice) -> None:
        out = np.multiply(centred[part], factor, out=y[part])
        if shift is not None:
            out += shift

    threads.run(work, images.parts)


def _sums(
    images: Images, grad_y: np.ndarray, centred: np.ndarray, inv_std: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    # The upstream gradient as lines, room for the input's, and the gradients of weight and bias.
    grads = images.lay(grad_y)

    def of_part(part: slice) -> tuple:
        grad, c = grads[part], centred[part]
        return images.channel_dot(grad, c), images.channel_sum(grad)

    along, grad_bias = images.sums(2, of_part)
    return grads, images.empty(), along * inv_std, grad_bias
