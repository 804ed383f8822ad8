r"""AdaptiveAvgPool2d and AdaptiveAvgPool1d: the means of as many windows as are asked for, whatever the image's size.

    N, C     batch, channels                 x  (N, C, H, W)   input
    H, W     the image's rows and columns    y  (N, C, P, Q)   output
    P, Q     the output's rows and columns

The windows are chosen so that there are P x Q of them. Window p begins at row floor(p H / P) and ends before row
ceil((p + 1) H / P), so the windows cover the image, and neighbours overlap by at most one row; likewise across.

adaptive_avg_pool2d
    F1  size = P, Q                                     (2,)            the image's own where output_size is None
    F2  rows = the rows of window p                     (P,)            slices
    F3  columns = the columns of window q               (Q,)            slices
    F4  y = room for the means                          (N, C, P, Q)
    F5  y_pq = the mean of x at rows_p, columns_q       (N, C, P, Q)    a loop over p, q

    B5a grad_x = 0                                      (N, C, H, W)    F5: room for sums
    B5b grad_x at rows_p, columns_q += grad_y_pq / n    (N, C, H, W)    F5: each of the window's n pixels has the share
                                                                        1 / n in the mean; a pixel in several windows
                                                                        gets the sum

AdaptiveAvgPool1d is AdaptiveAvgPool2d on images of one row: (N, C, L) is treated as (N, C, 1, L), with P = 1.

PyTorch's counterparts: ``torch.nn.AdaptiveAvgPool2d``, ``torch.nn.AdaptiveAvgPool1d``. Differs from them where there is
nothing to average, no channels or an output of no pixels: PyTorch's backward refuses this, and here the gradient is
empty or 0. Integer images are refused.
"""

import numpy as np

from scratch.checks import as_tuple
from scratch.nn.image_layer import ImageLayer


def adaptive_avg_pool2d(x: np.ndarray, output_size: tuple[int | None, int | None]) -> tuple[np.ndarray, tuple]:
    """Return the means of windows that divide the image into ``output_size`` rows and columns."""
    size = [own if given is None else given for own, given in zip(x.shape[2:], output_size, strict=True)]  # F1 (2,)
    rows = [slice(p * x.shape[2] // size[0], -(-(p + 1) * x.shape[2] // size[0])) for p in range(size[0])]  # F2 (P,)
    columns = [slice(q * x.shape[3] // size[1], -(-(q + 1) * x.shape[3] // size[1])) for q in range(size[1])]  # F3 (Q,)
    y = np.empty_like(x, shape=(*x.shape[:2], *size))  # F4 (N, C, P, Q)
    for p, q in np.ndindex(*size):  # F5 (N, C, P, Q)
        y[:, :, p, q] = x[:, :, rows[p], columns[q]].mean(axis=(2, 3))
    return y, (x, rows, columns)


def adaptive_avg_pool2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `adaptive_avg_pool2d`."""
    x, rows, columns = saved
    grad_x = np.zeros_like(x)  # B5a (N, C, H, W)
    for p, q in np.ndindex(*grad_y.shape[2:]):  # B5b (N, C, H, W)
        window = grad_x[:, :, rows[p], columns[q]]
        window += grad_y[:, :, p, q, None, None] / (window.shape[2] * window.shape[3])
    return grad_x


class _AdaptiveAvgPool(ImageLayer):
    functions = adaptive_avg_pool2d, adaptive_avg_pool2d_backward

    def __init__(self, output_size: int | tuple[int | None, ...], sides: tuple) -> None:
        super().__init__()
        self.output_size, self._sides = output_size, sides

    def arguments(self) -> tuple:
        """Return `adaptive_avg_pool2d`'s arguments after ``x``."""
        return (self.on_images(self._sides, 1),)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean over windows that divide the image into ``output_size`` rows and columns.

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
        if output_size is None:
            raise TypeError("AdaptiveAvgPool2d: expected output_size to be an integer or a pair, got None")
        entries = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        if len(entries) != 2:
            raise RuntimeError(f"AdaptiveAvgPool2d: expected output_size to have two entries, got {output_size!r}")
        given = [entry for entry in entries if entry is not None]
        if given:
            as_tuple(self, "output_size", given, 2, least=0)
        super().__init__(output_size, tuple(entries))


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean over windows that divide the sequence into ``output_size`` places.

    Parameters
    ----------
    output_size : int
        How many windows there are.

    Raises
    ------
    TypeError, RuntimeError
        If ``output_size`` is not an integer, or is negative.
    RuntimeError
        If the input is not (N, C, L) or (C, L), or has no places.

    Examples
    --------
    >>> layer = AdaptiveAvgPool1d(2)
    >>> layer(np.array([[1.0, 3.0, 5.0]]))
    array([[2., 4.]])
    >>> layer.backward(np.array([[10.0, 20.0]]))
    array([[ 5., 15., 10.]])
    """

    axes = 1

    def __init__(self, output_size: int | tuple[int]) -> None:
        super().__init__(output_size, as_tuple(self, "output_size", output_size, 1, least=0))
