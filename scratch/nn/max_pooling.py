r"""MaxPool2d and MaxPool1d: the largest number of each window of an image, or of a sequence.

    N, C     batch, channels                 x  (N, C, H, W)   input
    H, W     the image's rows and columns    y  (N, C, P, Q)   output
    P, Q     the output's rows and columns   s, d, a           stride, dilation and padding (down; likewise across)
    kh, kw   kernel size                     K = kh kw         places in a window

The pixels of an image are numbered in reading order, from 1. The windows slide over the numbers; a 0 is padding.

max_pool2d
    F1  numbers = 1 ... H W, padded with 0             (H1, W1)         in ceil_mode by s - 1 more at the end, so that
                                                                        the last window may extend beyond the padding
    F2  extent = d (kh - 1) + 1                        (2,)             rows and columns that a window spans
    F3  anywhere_hwij = numbers_(h+di),(w+dj)          (.., .., kh, kw) a window at every place where one fits
    F4  windows = every s-th of them                   (P, Q, kh, kw)   that begins before the end of the image
    F5  places = windows, each flattened               (P, Q, K)
    F6  pixels = -inf, followed by the pixels of x     (N, C, 1 + H W)  padding is never the largest
    F7  seen = pixels[places]                          (N, C, P, Q, K)
    F8  largest = max_k seen                           (N, C, P, Q, 1)  NaN, if there is a NaN
    F9  ties = seen equals largest, and no padding     (N, C, P, Q, K)
    F10 winner = the first k in ties; the last if NaN  (N, C, P, Q, 1)
    F11 argmax = places[winner]                        (N, C, P, Q)     the number of the largest pixel
    F12 y = seen[winner], which is pixels[argmax]      (N, C, P, Q)
    F13 indices = argmax - 1                           (N, C, P, Q)     PyTorch counts from 0

    B12a grad_pixels = 0                               (N, C, 1 + H W)  F12: room for sums
    B12b grad_pixels[argmax] += grad_y                 (N, C, 1 + H W)  F12: y is one of the pixels, which gets all of
                                                                        the gradient; a pixel that is the largest of
                                                                        several windows gets the sum
    B6  grad_x = grad_pixels without the first         (N, C, H, W)     F6: -inf is a constant

F8 to F11 find out which pixel is the largest. A small change of x does not change the answer, except at a tie, so they
have no gradient.

At several equal maxima there is a kink, and any way to share the gradient among them is a subgradient. The first one in
reading order gets all of it, as in PyTorch. A window with a NaN yields NaN, and its last NaN gets the gradient.

MaxPool1d is MaxPool2d on images of one row: (N, C, L) is treated as (N, C, 1, L). A pixel's index is its column.

PyTorch's counterparts: ``torch.nn.MaxPool2d``, ``torch.nn.MaxPool1d``. Differs from them where a dilated window sees
nothing but padding: y is -inf in both, but PyTorch's index is that of a pixel beside the window or outside the image,
and its backward writes there, be it outside the array. Here no pixel gets the gradient, and the index is -1. Integer
images are refused.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.nn.image_layer import Size
from scratch.nn.pooling import Pooling


def max_pool2d(
    x: np.ndarray,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    ceil_mode: bool,
    return_indices: bool,
) -> tuple[np.ndarray, tuple, np.ndarray | None]:
    """Return the largest number of each window, and where in its image it is, if asked for."""
    numbers = np.pad(  # F1 (H1, W1)
        1 + np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:]),
        [(a, a + (s - 1 if ceil_mode else 0)) for a, s in zip(padding, stride, strict=True)],
    )
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True)]  # F2 (2,)
    anywhere = sliding_window_view(numbers, extent)[:, :, :: dilation[0], :: dilation[1]]  # F3 (.., .., kh, kw)
    windows = anywhere[  # F4 (P, Q, kh, kw)
        : padding[0] + x.shape[2] : stride[0], : padding[1] + x.shape[3] : stride[1]
    ]
    places = windows.reshape(*windows.shape[:2], math.prod(kernel_size))  # F5 (P, Q, K)
    pixels = np.pad(  # F6 (N, C, 1 + H W)
        x.reshape(*x.shape[:2], math.prod(x.shape[2:])), [(0, 0), (0, 0), (1, 0)], constant_values=-np.inf
    )
    seen = pixels[:, :, places]  # F7 (N, C, P, Q, K)
    largest = seen.max(axis=-1, keepdims=True)  # F8 (N, C, P, Q, 1)
    ties = ((seen == largest) | np.isnan(seen)) & (places > 0)  # F9 (N, C, P, Q, K)
    winner = np.where(  # F10 (N, C, P, Q, 1)
        np.isnan(largest),
        ties.shape[-1] - 1 - ties[..., ::-1].argmax(axis=-1, keepdims=True),
        ties.argmax(axis=-1, keepdims=True),
    )
    argmax = np.take_along_axis(places[None, None], winner, axis=-1)[..., 0]  # F11 (N, C, P, Q)
    y = np.take_along_axis(seen, winner, axis=-1)[..., 0]  # F12 (N, C, P, Q)
    indices = argmax - 1 if return_indices else None  # F13 (N, C, P, Q)
    return y, (argmax, x.shape), indices


def max_pool2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `max_pool2d`."""
    argmax, x_shape = saved
    grad_pixels = np.zeros((*x_shape[:2], 1 + math.prod(x_shape[2:])), grad_y.dtype)  # B12a (N, C, 1 + H W)
    for image in np.ndindex(*x_shape[:2]):  # B12b (N, C, 1 + H W)
        np.add.at(grad_pixels[image], argmax[image], grad_y[image])
    grad_x = grad_pixels[:, :, 1:].reshape(x_shape)  # B6 (N, C, H, W)
    return grad_x


class _MaxPool(Pooling):
    functions = max_pool2d, max_pool2d_backward

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, ceil_mode)
        self.return_indices = return_indices

    def arguments(self) -> tuple:
        """Return `max_pool2d`'s arguments after ``x``."""
        return *self.windows(), self.ceil_mode, self.return_indices

    def finish(self, x: np.ndarray, y: np.ndarray, *more: Any) -> Any:
        """Return the largest pixels; with ``return_indices``, these and their indices."""
        (indices,) = more
        return (y, self.unfold(indices, x.shape)) if self.return_indices else y

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool2d(_MaxPool):
    """The largest number of each window.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or pair of int
        Down and across; ``stride`` is ``kernel_size`` unless given.
    return_indices : bool
        Whether forward returns a pair: the output, and where in the image's plane each maximum is (row times W plus
        column, int64).
    ceil_mode : bool
        Whether a last window may extend beyond the padding.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, H, W) or (C, H, W), or one in which no window
        fits.

    Examples
    --------
    >>> layer = MaxPool2d(2)
    >>> layer(np.array([[[1.0, 3.0, 0.0, 5.0], [3.0, 2.0, 4.0, 0.0]]]))
    array([[[3., 5.]]])
    >>> layer.backward(np.array([[[10.0, 20.0]]]))
    array([[[ 0., 10.,  0., 20.],
            [ 0.,  0.,  0.,  0.]]])
    """


class MaxPool1d(_MaxPool):
    """The largest number of each window of a sequence.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int
        Along the sequence; ``stride`` is ``kernel_size`` unless given.
    return_indices : bool
        Whether forward returns a pair: the output, and where in the sequence each maximum is (int64).
    ceil_mode : bool
        Whether a last window may extend beyond the padding.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, L) or (C, L), or one in which no window fits.

    Examples
    --------
    >>> layer = MaxPool1d(2)
    >>> layer(np.array([[1.0, 3.0, 4.0, 0.0, 5.0]]))
    array([[3., 4.]])
    >>> layer.backward(np.array([[10.0, 20.0]]))
    array([[ 0., 10., 20.,  0.,  0.]])
    """

    axes = 1
