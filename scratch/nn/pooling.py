r"""Pooling: one number for each window of an image, its largest or its mean.

    N, C  batch, channels                    x  (N, C, H, W)   input
    H, W  the image's rows and columns       y  (N, C, P, Q)   output
    P, Q  the output's rows and columns      g = grad_y        (N, C, P, Q)
    k, s, d  kernel, stride, dilation        a  padding, on each side

A window (p, q) covers the pixels under x1_(ij) = x1[.., s p + d i, s q + d j], i, j = 0..k-1, where x1 is x, padded.

MaxPool2d
    F1  x1 = pad(x, -inf)                    (N, C, H1, W1)   never the largest
    F2  y = max_ij x1_(ij)                   (N, C, P, Q)
    B1  m_(ij) = [(i, j) is the window's first place with x1_(ij) = y]        F2: the maximum is one of its arguments,
    B2  grad_x1_(ij) += g m_(ij), for each i, j                               so that one gets the gradient
    B3  grad_x = unpad(grad_x1)                                               F1: what was padded is cut off

Several equal maxima are a kink, where any share of the gradient among them is a subgradient; the first in reading
order gets all of it, as in PyTorch. A window with a NaN yields NaN, and its last NaN gets the gradient.

AvgPool2d
    F1  x1 = pad(x, 0)                       (N, C, H1, W1)
    F2  t = sum_ij x1_(ij)                   (N, C, P, Q)
    F3  y = t / n_pq                         (N, C, P, Q)     n_pq: how many pixels count, see `AvgPool2d`
    B1  grad_t = g / n_pq                    (N, C, P, Q)     F3
    B2  grad_x1_(ij) += grad_t, for each i, j                 F2: a sum hands its gradient to each term, and a pixel
                                                              in several windows adds them up
    B3  grad_x = unpad(grad_x1)              (N, C, H, W)     F1

AdaptiveAvgPool2d is the mean over windows that divide the image into P x Q, whatever its size: window p begins at
floor(p H / P) and ends before ceil((p + 1) H / P), so that neighbours overlap by at most a row.

ceil_mode counts a last window that sticks out beyond the padded image, if it begins inside the image or the padding
before it.

PyTorch's counterparts: ``torch.nn.MaxPool2d``, ``torch.nn.AvgPool2d``, ``torch.nn.AdaptiveAvgPool2d``. Integer images,
which PyTorch's pooling takes, are refused.
"""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from scratch import memory, threads
from scratch.checks import check_array, check_grad_output, name_of
from scratch.nn.images import as_batch, pair
from scratch.nn.module import Module
from scratch.nn.padding import Sides, pad, unpad
from scratch.nn.patches import under


class _Pool2d(Module):
    """What MaxPool2d and AvgPool2d have in common: where their windows are."""

    def __init__(self, kernel_size: object, stride: object, padding: object, dilation: object, ceil_mode: bool) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = ceil_mode
        self._kernel = pair(self, "kernel_size", kernel_size, least=1)
        self._stride = pair(self, "stride", self.stride, least=1)
        self._dilation = pair(self, "dilation", dilation, least=1)
        self._padding = pair(self, "padding", padding, least=0)
        self._extent = tuple([d * (k - 1) + 1 for d, k in zip(self._dilation, self._kernel, strict=True)])
        if any(2 * side > extent for side, extent in zip(self._padding, self._extent, strict=True)):
            raise RuntimeError(
                f"{name_of(self)}: expected padding of at most half the window's extent {self._extent}, got {padding}"
            )
        # No pixel is in two windows.
        self._tiles = self._stride == self._kernel and self._dilation == (1, 1) and self._padding == (0, 0)
        self._places = list(product(range(self._kernel[0]), range(self._kernel[1])))

    def _windows(self, images: np.ndarray) -> tuple:
        """Return the output's size (P, Q) and the sides to pad such that every window fits."""
        if images.shape[1] == 0:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one channel, got {images.shape}")
        size, sides = [], []
        for axis in (0, 1):
            length, side, extent, stride = (
                images.shape[2 + axis], self._padding[axis], self._extent[axis], self._stride[axis]
            )  # fmt: skip
            room = length + 2 * side - extent
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            if self.ceil_mode and (count - 1) * stride >= length + side:
                count -= 1
            if count < 1:
                raise RuntimeError(
                    f"{name_of(self)}: expected an image of at least the window's extent {self._extent}, "
                    f"got {images.shape[2:]} with padding {self._padding}"
                )
            size.append(count)
            sides.append((side, max((count - 1) * stride + extent - length - side, 0)))
        return tuple(size), tuple(sides)

    def _under(self, image: np.ndarray, size: tuple[int, int], i: int, j: int) -> np.ndarray:
        """Return the view x1_(ij) of shape (N, C, P, Q)."""
        return image[(..., *under((i, j), size, self._stride, self._dilation))]


class MaxPool2d(_Pool2d):
    """The largest number of each window.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or pair of int
        Down and across; ``stride`` is ``kernel_size`` unless given.
    return_indices : bool
        Whether forward returns a pair: the output, and where in the image's plane each maximum is (row times W plus
        column, int64).
    ceil_mode : bool
        Whether a last window may stick out.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, H, W) or (C, H, W), or one that no window fits.

    Examples
    --------
    >>> layer = MaxPool2d(2)
    >>> layer(np.array([[[1.0, 3.0, 0.0, 5.0], [3.0, 2.0, 4.0, 0.0]]]))
    array([[[3., 5.]]])
    >>> layer.backward(np.array([[[10.0, 20.0]]]))
    array([[[ 0., 10.,  0., 20.],
            [ 0.,  0.,  0.,  0.]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def forward(self, x: np.ndarray) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Map (N, C, H, W) to (N, C, P, Q), or (C, H, W) to (C, P, Q)."""
        check_array(self, x)
        images = as_batch(self, x)
        size, sides = self._windows(images)
        y = memory.empty_like(images, (*images.shape[:2], *size))

        def pool(chunk: slice) -> None:
            x1 = _padded(images[chunk], sides, -np.inf)  # F1 (n, C, H1, W1)
            largest = y[chunk]
            largest[...] = self._under(x1, size, 0, 0)
            for i, j in self._places[1:]:
                np.maximum(self._under(x1, size, i, j), largest, out=largest)  # F2 (n, C, P, Q)

        chunks = threads.chunks(len(images), images[:1].nbytes)
        threads.run(pool, chunks)
        self.save_for_backward(images=images, y=y, sides=sides, chunks=chunks, unbatched=x.ndim == 3)
        result = (y, self._indices(images, y, sides)) if self.return_indices else (y,)
        if x.ndim == 3:
            result = tuple([array[0] for array in result])
        return result if self.return_indices else result[0]

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of (N, C, P, Q) to that of (N, C, H, W)."""
        images, y, sides, chunks, unbatched = self.saved("images", "y", "sides", "chunks", "unbatched")
        check_grad_output(self, grad_output, y.shape[1:] if unbatched else y.shape, y.dtype)
        grad_y = grad_output[None] if unbatched else grad_output
        grad_x = memory.empty_like(images)
        size = y.shape[2:]

        def undo(chunk: slice) -> None:
            g = memory.empty_like(y[chunk])
            g[...] = grad_y[chunk]
            winner = self._winner(images[chunk], y[chunk], sides)
            grad_x1 = _zeros_padded(images[chunk], sides)
            for place, (i, j) in enumerate(self._places):
                paid = keep(g, winner == place)  # B1 (n, C, P, Q)
                grad_x1_ij = self._under(grad_x1, size, i, j)
                grad_x1_ij += paid  # B2
            grad_x[chunk] = unpad(grad_x1, sides)  # B3 (n, C, H, W)

        threads.run(undo, chunks)
        return grad_x[0] if unbatched else grad_x

    def _winner(self, images: np.ndarray, y: np.ndarray, sides: Sides) -> np.ndarray:
        """Return which of the window's places pays for y, (n, C, P, Q); len(places) where none does."""
        # NaN is unequal to all, so that a padded place is not mistaken for a pixel of -inf.
        x1 = _padded(images, sides, np.nan)
        size = y.shape[2:]
        winner = memory.empty_like(y, dtype=np.min_scalar_type(len(self._places)))
        winner[...] = 0
        not_yet = np.ones_like(y, dtype=bool)
        for i, j in self._places:
            not_yet &= self._under(x1, size, i, j) != y
            winner += not_yet
        if not_yet.any():
            x1 = _padded(images, sides, -np.inf)
            for place, (i, j) in enumerate(self._places):
                np.copyto(winner, place, where=np.isnan(self._under(x1, size, i, j)))
        return winner

    def _indices(self, images: np.ndarray, y: np.ndarray, sides: Sides) -> np.ndarray:
        """Return where in its plane each maximum is, (N, C, P, Q)."""
        winner = self._winner(images, y, sides).astype(np.int64)
        (_, columns), (p, q) = self._kernel, y.shape[2:]
        row = winner // columns * self._dilation[0] + np.arange(p)[:, None] * self._stride[0] - self._padding[0]
        column = winner % columns * self._dilation[1] + np.arange(q) * self._stride[1] - self._padding[1]
        return row * images.shape[3] + column

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(_Pool2d):
    """The mean of each window.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        Down and across; ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Whether a last window may stick out; what lies beyond the padding never counts.
    count_include_pad : bool
        Whether the padding's zeros count in the mean.
    divisor_override : int, optional
        What to divide by instead.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, H, W) or (C, H, W), or one that no window fits.

    Examples
    --------
    >>> layer = AvgPool2d((1, 2))
    >>> layer(np.array([[[1.0, 3.0, 0.0, 5.0]]]))
    array([[[2. , 2.5]]])
    >>> layer.backward(np.array([[[10.0, 20.0]]]))
    array([[[ 5.,  5., 10., 10.]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override is not None and not isinstance(divisor_override, (int, np.integer)):
            raise TypeError(f"AvgPool2d: expected divisor_override to be an integer, got {divisor_override!r}")
        if divisor_override == 0:
            raise RuntimeError("AvgPool2d: expected divisor_override other than 0")
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, H, W) to (N, C, P, Q), or (C, H, W) to (C, P, Q)."""
        check_array(self, x)
        images = as_batch(self, x)
        size, sides = self._windows(images)
        counts = self._counts(images.shape[2:], size).astype(x.dtype)  # (P, Q)
        y = memory.empty_like(images, (*images.shape[:2], *size))

        def pool(chunk: slice) -> None:
            x1 = _padded(images[chunk], sides, 0)  # F1 (n, C, H1, W1)
            total = y[chunk]
            total[...] = self._under(x1, size, 0, 0)
            for i, j in self._places[1:]:
                total += self._under(x1, size, i, j)  # F2 (n, C, P, Q)
            total /= counts  # F3 (n, C, P, Q)

        chunks = threads.chunks(len(images), images[:1].nbytes)
        threads.run(pool, chunks)
        self.save_for_backward(
            images=images, counts=counts, sides=sides, chunks=chunks, output_shape=y.shape, unbatched=x.ndim == 3
        )
        return y[0] if x.ndim == 3 else y

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of (N, C, P, Q) to that of (N, C, H, W)."""
        images, counts, sides, chunks = self.saved("images", "counts", "sides", "chunks")
        output_shape, unbatched = self.saved("output_shape", "unbatched")
        check_grad_output(self, grad_output, output_shape[1:] if unbatched else output_shape, images.dtype)
        grad_y = grad_output[None] if unbatched else grad_output
        grad_x = memory.empty_like(images)

        def undo(chunk: slice) -> None:
            grad_total = memory.empty_like(grad_x[chunk], output_shape)
            np.divide(grad_y[chunk], counts, out=grad_total)  # B1 (n, C, P, Q)
            grad_x1 = _zeros_padded(images[chunk], sides)
            for i, j in self._places:
                grad_x1_ij = self._under(grad_x1, output_shape[2:], i, j)
                grad_x1_ij += grad_total  # B2
            grad_x[chunk] = unpad(grad_x1, sides)  # B3 (n, C, H, W)

        threads.run(undo, chunks)
        return grad_x[0] if unbatched else grad_x

    def _counts(self, image: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Return what to divide each window's sum by, (P, Q)."""
        if self.divisor_override is not None:
            return np.full(size, self.divisor_override)
        counted = []
        for axis in (0, 1):
            side = self._padding[axis]
            first, beyond = (-side, image[axis] + side) if self.count_include_pad else (0, image[axis])
            begin = np.arange(size[axis]) * self._stride[axis] - side
            counted.append(np.minimum(begin + self._kernel[axis], beyond) - np.maximum(begin, first))
        return counted[0][:, None] * counted[1]

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean over windows that divide the image into so many rows and columns.

    Parameters
    ----------
    output_size : int, or pair of int or None
        P and Q; None keeps the image's own.

    Raises
    ------
    TypeError, RuntimeError
        If ``output_size`` is neither an integer nor a pair, or is negative.
    RuntimeError
        If the input is not (N, C, H, W) or (C, H, W), or has no rows or columns.

    Examples
    --------
    >>> layer = AdaptiveAvgPool2d((1, 2))
    >>> layer(np.array([[[1.0, 3.0, 5.0]]]))
    array([[[2., 4.]]])
    >>> layer.backward(np.array([[[10.0, 20.0]]]))
    array([[[ 5., 15., 10.]]])
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        if output_size is None:
            raise TypeError("AdaptiveAvgPool2d: expected output_size to be an integer or a pair, got None")
        self.output_size = output_size
        entries = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        if len(entries) != 2:
            raise RuntimeError(f"AdaptiveAvgPool2d: expected output_size to have two entries, got {output_size!r}")
        given = [entry for entry in entries if entry is not None]
        if given:
            pair(self, "output_size", given, least=0)
        self._entries = tuple(entries)

    @np.errstate(over="ignore", invalid="ignore")
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Map (N, C, H, W) to (N, C, P, Q), or (C, H, W) to (C, P, Q)."""
        check_array(self, x)
        images = as_batch(self, x)
        size = [
            length if entry is None else entry for entry, length in zip(self._entries, images.shape[2:], strict=True)
        ]
        y = memory.empty_like(images, (*images.shape[:2], *size))
        for (p, rows), (q, columns) in self._windows(images.shape[2:], size):
            y[:, :, p, q] = images[:, :, rows, columns].mean(axis=(2, 3))
        self.save_for_backward(images=images, output_shape=y.shape, unbatched=x.ndim == 3)
        return y[0] if x.ndim == 3 else y

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Map the gradient of (N, C, P, Q) to that of (N, C, H, W)."""
        images, output_shape, unbatched = self.saved("images", "output_shape", "unbatched")
        check_grad_output(self, grad_output, output_shape[1:] if unbatched else output_shape, images.dtype)
        grad_y = grad_output[None] if unbatched else grad_output
        grad_x = memory.empty_like(images)
        grad_x[...] = 0
        for (p, rows), (q, columns) in self._windows(images.shape[2:], output_shape[2:]):
            window = grad_x[:, :, rows, columns]
            window += (grad_y[:, :, p, q] / math.prod(window.shape[2:]))[:, :, None, None]
        return grad_x[0] if unbatched else grad_x

    @staticmethod
    def _windows(image: tuple[int, int], size: tuple[int, int]) -> Iterator:
        """Return ((p, its rows), (q, its columns)) for each place of the output."""
        along = [
            [(index, slice(index * length // count, -(-(index + 1) * length // count))) for index in range(count)]
            for length, count in zip(image, size, strict=True)
        ]
        return product(*along)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"output_size={self.output_size}"


def keep(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return ``values`` where ``mask`` and 0 elsewhere, as a product with 0 and 1 would were it not for infinities."""
    bits = np.dtype(f"i{values.itemsize}")
    ones = np.negative(mask.view(np.int8)).astype(bits)  # -1 has all its bits set
    return np.bitwise_and(values.view(bits), ones).view(values.dtype)


def _padded(images: np.ndarray, sides: Sides, value: float) -> np.ndarray:
    return pad(images, sides, value=value, channels_last=memory.is_channels_last(images))


def _zeros_padded(images: np.ndarray, sides: Sides) -> np.ndarray:
    n, c, h, w = images.shape
    zeros = memory.empty_like(images, (n, c, h + sum(sides[0]), w + sum(sides[1])))
    zeros[...] = 0
    return zeros
