r"""AvgPool2d and AvgPool1d: the mean of each window of an image, or of a sequence.

    N, C     batch, channels                 x  (N, C, H, W)   input
    H, W     the image's rows and columns    y  (N, C, P, Q)   output
    P, Q     the output's rows and columns   s, a              stride and padding (down; likewise across)
    kh, kw   kernel size

avg_pool2d
    F1  beyond = s - 1 in ceil_mode, else 0             (2,)            how far the last window may extend beyond the
                                                                        padding
    F2  x1 = x padded with zeros, and those beyond      (N, C, H1, W1)
    F3  counted = 1 for the pixels of x1 that count,    (H1, W1)        those of x always, the padding if
        else 0                                                          count_include_pad, those beyond never
    F4  begin = each s-th row and column                                where windows begin: before the end of the image
    F5  windows_ncpqij = x1_nc,(sp+i),(sq+j)            (N, C, P, Q, kh, kw)
    F6  total = sum_ij windows                          (N, C, P, Q)
    F7  n = how many of a window's pixels count         (P, Q)          or divisor_override
    F8  y = total / n                                   (N, C, P, Q)

    B8  grad_total = grad_y / n                         (N, C, P, Q)    F8: a quotient, by its numerator. F6: a sum
                                                                        passes its gradient on to each of its terms
    B5a grad_x1 = 0                                     (N, C, H1, W1)  F5: room for sums
    B5b grad_x1_nc,(sp+i),(sq+j) += grad_total          (N, C, H1, W1)  F5: a pixel in several windows gets the sum of
                                                                        their gradients; a loop over i, j
    B2  grad_x = grad_x1 without the padding            (N, C, H, W)    F2: the zeros are constants

AvgPool1d is AvgPool2d on images of one row: (N, C, L) is treated as (N, C, 1, L).

PyTorch's counterparts: ``torch.nn.AvgPool2d``, ``torch.nn.AvgPool1d``. Integer images are refused.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scratch.checks import check_flag, check_integer
from scratch.nn.image_layer import Size
from scratch.nn.pooling import Pooling


def avg_pool2d(
    x: np.ndarray,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> tuple[np.ndarray, tuple]:
    """Return the mean of each window."""
    beyond = [s - 1 if ceil_mode else 0 for s in stride]  # F1 (2,)
    x1 = np.pad(x, [(0, 0), (0, 0), *[(a, a + e) for a, e in zip(padding, beyond, strict=True)]])  # F2 (N, C, H1, W1)
    counted = np.pad(  # F3 (H1, W1)
        np.pad(np.ones(x.shape[2:], x.dtype), [(a, a) for a in padding], constant_values=count_include_pad),
        [(0, e) for e in beyond],
    )
    begin = np.s_[..., : padding[0] + x.shape[2] : stride[0], : padding[1] + x.shape[3] : stride[1], :, :]  # F4
    windows = sliding_window_view(x1, kernel_size, axis=(2, 3))[begin]  # F5 (N, C, P, Q, kh, kw)
    total = windows.sum(axis=(-2, -1))  # F6 (N, C, P, Q)
    n = divisor_override or sliding_window_view(counted, kernel_size)[begin].sum(axis=(-2, -1))  # F7 (P, Q)
    y = total / n  # F8 (N, C, P, Q)
    return y, (n, x1.shape, x.shape)


def avg_pool2d_backward(
    grad_y: np.ndarray, kernel_size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], saved: tuple
) -> np.ndarray:
    """Undo `avg_pool2d`."""
    n, x1_shape, x_shape = saved
    grad_total = grad_y / n  # B8 (N, C, P, Q)
    grad_x1 = np.zeros(x1_shape, grad_y.dtype)  # B5a (N, C, H1, W1)
    for i, j in np.ndindex(kernel_size):  # B5b (N, C, H1, W1)
        rows = slice(i, i + stride[0] * grad_y.shape[2], stride[0])
        columns = slice(j, j + stride[1] * grad_y.shape[3], stride[1])
        grad_x1[:, :, rows, columns] += grad_total
    grad_x = grad_x1[:, :, padding[0] :, padding[1] :][:, :, : x_shape[2], : x_shape[3]]  # B2 (N, C, H, W)
    return grad_x


class _AvgPool(Pooling):
    functions = avg_pool2d, avg_pool2d_backward
    divisor_override: int | None = None

    def __init__(
        self, kernel_size: Size, stride: Size | None, padding: Size, ceil_mode: bool, count_include_pad: bool
    ) -> None:
        super().__init__(kernel_size, stride, padding, 1, ceil_mode)
        self.count_include_pad = count_include_pad

    def arguments(self) -> tuple:
        """Return `avg_pool2d`'s arguments after ``x``."""
        kernel_size, stride, padding, _ = self.windows()
        return kernel_size, stride, padding, self.ceil_mode, self.count_include_pad, self.divisor_override


class AvgPool2d(_AvgPool):
    """The mean of each window.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair of int
        Down and across; ``stride`` is ``kernel_size`` unless given.
    ceil_mode : bool
        Whether a last window may extend beyond the padding; what lies there never counts.
    count_include_pad : bool
        Whether the padding's zeros count in the mean.
    divisor_override : int, optional
        What to divide by instead of the number of pixels.

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
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        check_flag(self, "count_include_pad", count_include_pad)
        if divisor_override is not None:
            check_integer(self, "divisor_override", divisor_override)
        if divisor_override == 0:
            raise RuntimeError("AvgPool2d: expected divisor_override other than 0, got 0")
        self.divisor_override = divisor_override


class AvgPool1d(_AvgPool):
    """The mean of each window of a sequence.

    Parameters
    ----------
    kernel_size, stride, padding : int
        Along the sequence; ``stride`` is ``kernel_size`` unless given.
    ceil_mode, count_include_pad : bool
        As for `AvgPool2d`.

    Raises
    ------
    RuntimeError
        For an option outside its domain, an input that is not (N, C, L) or (C, L), or one that no window fits.

    Examples
    --------
    >>> layer = AvgPool1d(2)
    >>> layer(np.array([[1.0, 3.0, 0.0, 5.0, 7.0]]))
    array([[2. , 2.5]])
    >>> layer.backward(np.array([[10.0, 20.0]]))
    array([[ 5.,  5., 10., 10.,  0.]])
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        # PyTorch stores these as tuples, but those of the other poolings as they are given.
        self.kernel_size, self.stride, self.padding = self._kernel, self._stride, self._padding
