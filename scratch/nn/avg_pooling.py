r"""AvgPool2d and AdaptiveAvgPool2d: of each window of an image, the mean.

    N, C  batch, channels                    x  (N, C, H, W)   input
    H, W  the image's rows and columns       y  (N, C, P, Q)   output
    P, Q  the output's rows and columns
    k, s  kernel, stride                     a  padding, on each side

A window (p, q) covers the pixels x1_(ij) = x1[.., s p + i, s q + j], i, j = 0..k-1, of the padded image x1.

Forward
    F1  x1 = pad(x, 0)                       (N, C, H1, W1)
    F2  t = sum_ij x1_(ij)                   (N, C, P, Q)
    F3  y = t / n_pq                         (N, C, P, Q)     n_pq: how many pixels of the window count

Backward, from grad_y = dL/dy of shape (N, C, P, Q)
    B1  grad_t = grad_y / n_pq               (N, C, P, Q)     F3
    B2  grad_x1_(ij) += grad_t               (N, C, H1, W1)   F2: a sum hands its gradient on to each of its terms, and
                                                              a pixel in several windows adds up what each hands on
    B3  grad_x = unpad(grad_x1)              (N, C, H, W)     F1: what was padded is cut off

AdaptiveAvgPool2d chooses its windows such that there are P x Q of them, whatever the image's size: window p begins at
row floor(p H / P) and ends before row ceil((p + 1) H / P), so that windows cover the image and overlap by a row at
most; likewise across. There is no padding, and n_pq is the window's area.

PyTorch's counterparts: ``torch.nn.AvgPool2d``, ``torch.nn.AdaptiveAvgPool2d``. Integer images are refused.
"""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from scratch.checks import check_array, check_grad_output
from scratch.kernels import memory, threads
from scratch.nn.images import as_batch, pair
from scratch.nn.module import Module
from scratch.nn.padding import NO_SIDES, pad, unpad
from scratch.nn.pool_windows import PoolWindows


class AvgPool2d(PoolWindows):
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
            raise RuntimeError("AvgPool2d: expected divisor_override other than 0, got 0")
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
            x1 = pad(images[chunk], sides)  # F1 (n, C, H1, W1)
            total = y[chunk]
            total[...] = self._under(x1, size, self._places[0])
            for place in self._places[1:]:
                total += self._under(x1, size, place)  # F2 (n, C, P, Q)
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
            grad_total = memory.in_order_of(grad_y[chunk], grad_x) / counts  # B1 (n, C, P, Q)
            grad_x1 = self._begin_grad_x1(grad_x[chunk], output_shape[2:], sides)
            shares = np.broadcast_to(grad_total, (len(self._places), *grad_total.shape))
            self._share_out(shares, grad_x1)  # B2 (n, C, H1, W1)
            if sides != NO_SIDES:
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
            y[:, :, p, q] = images[:, :, rows, columns].mean(axis=(2, 3))  # F2, F3 (N, C)
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
            grad_total = grad_y[:, :, p, q] / math.prod(window.shape[2:])  # B1 (N, C)
            window += grad_total[:, :, None, None]  # B2
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
