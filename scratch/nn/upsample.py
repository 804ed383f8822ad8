"""Upsample: an image of another size, whose pixels are copies of the nearest ones, or mixtures of four.

    N, C     batch, channels                 x  (N, C, H, W)   input
    H, W     the image's rows and columns    y  (N, C, P, Q)   output
    P, Q     the output's rows and columns   s, t              step: how many rows and columns of x for one of y

upsample_nearest2d
    F1  rows_p = floor(s p), at most H - 1               (P,)            the row of x that row p of y is a copy of
    F2  columns_q = floor(t q), at most W - 1            (Q,)
    F3  z = the rows of x                                (N, C, P, W)
    F4  y = the columns of z                             (N, C, P, Q)

    B4a grad_z = 0                                       (N, C, P, W)    F4: room for sums
    B4b grad_z_columns_q += grad_y_q                     (N, C, P, W)    F4: a column that is copied several times gets
                                                                         the sum of the gradients; a loop over q
    B3a grad_x = 0                                       (N, C, H, W)    F3: room for sums
    B3b grad_x_rows_p += grad_z_p                        (N, C, H, W)    F3: likewise; a loop over p

upsample_bilinear2d
    F1  down_p = where in x the middle of row p is       (P,)            from 0 for the middle of x's first row
    F2  across_q = where in x the middle of column q is  (Q,)
    F3  top, left = floor(down), floor(across)           (P,), (Q,)      the last pixel before
    F4  bottom, right = the next ones, if there are any  (P,), (Q,)
    F5  v = down - top                                   (P, 1)          the share of the row below
    F6  u = across - left                                (Q,)            the share of the column on the right
    F7  z = (1 - v) x_top + v x_bottom                   (N, C, P, W)
    F8  y = (1 - u) z_left + u z_right                   (N, C, P, Q)

    B8a grad_z = 0                                       (N, C, P, W)    F8: room for sums
    B8b grad_z_left_q += (1 - u_q) grad_y_q,             (N, C, P, W)    F8: a product, times the factor. A column that
        grad_z_right_q += u_q grad_y_q                                   is in several mixtures gets the sum; a loop
                                                                         over q
    B7a grad_x = 0                                       (N, C, H, W)    F7: room for sums
    B7b grad_x_top_p += (1 - v_p) grad_z_p,              (N, C, H, W)    F7: likewise; a loop over p
        grad_x_bottom_p += v_p grad_z_p

Positions depend only on sizes, so they have no gradient. Both upsamplings are linear maps along rows and along columns,
and backward is their transpose.

Where the middle of a pixel is: with align_corners, the middles of the outermost pixels of both images coincide, and row
p of y is at s p. Otherwise their outer edges coincide, and row p is at s (p + 1/2) - 1/2, or at 0 where that is
outside. s is H / P, or (H - 1) / (P - 1) with align_corners. If scale_factor is given and recompute_scale_factor is
not, s is 1 / scale_factor. That is not quite H / P, unless H times scale_factor is a whole number, since P is rounded
down.

The mode 'nearest' follows PyTorch's arithmetic: s and s p are float32, in which 3 x (1/3) is 1; where P is H or 2 H, s
is H / P whatever scale_factor is.

PyTorch's counterpart: ``torch.nn.Upsample``. Left out: the modes 'linear', 'bicubic' and 'trilinear', sequences and
volumes. PyTorch takes a sequence, (N, C, L), for mode 'nearest', but with a scale_factor its backward uses other pixels
than its forward. Here, pass sequences as images of one row. One image without a batch is refused, as in PyTorch.
"""

from typing import Any

import numpy as np

from scratch.checks import as_tuple
from scratch.dispatch import Pair
from scratch.nn.layer import Layer


def upsample_nearest2d(x: np.ndarray, size: tuple[int, ...], step: tuple[float, ...]) -> tuple[np.ndarray, tuple]:
    """Return an image of the nearest pixels."""
    rows = nearest(size[0], step[0], x.shape[2])  # F1 (P,)
    columns = nearest(size[1], step[1], x.shape[3])  # F2 (Q,)
    z = x[:, :, rows]  # F3 (N, C, P, W)
    y = z[..., columns]  # F4 (N, C, P, Q)
    return y, (rows, columns, x.shape)


def upsample_nearest2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_nearest2d`."""
    rows, columns, x_shape = saved
    grad_z = np.zeros((*grad_y.shape[:3], x_shape[3]), grad_y.dtype)  # B4a (N, C, P, W)
    for q, column in enumerate(columns):  # B4b (N, C, P, W)
        grad_z[..., column] += grad_y[..., q]
    grad_x = np.zeros(x_shape, grad_y.dtype)  # B3a (N, C, H, W)
    for p, row in enumerate(rows):  # B3b (N, C, H, W)
        grad_x[:, :, row] += grad_z[:, :, p]
    return grad_x


def upsample_bilinear2d(
    x: np.ndarray, size: tuple[int, ...], step: tuple[float, ...], align_corners: bool
) -> tuple[np.ndarray, tuple]:
    """Return an image of mixtures of the four nearest pixels."""
    down = middles(size[0], step[0], align_corners)  # F1 (P,)
    across = middles(size[1], step[1], align_corners)  # F2 (Q,)
    top, left = down.astype(int), across.astype(int)  # F3 (P,), (Q,)
    bottom, right = np.minimum(top + 1, x.shape[2] - 1), np.minimum(left + 1, x.shape[3] - 1)  # F4 (P,), (Q,)
    v = (down - top)[:, None].astype(x.dtype)  # F5 (P, 1)
    u = (across - left).astype(x.dtype)  # F6 (Q,)
    z = (1 - v) * x[:, :, top] + v * x[:, :, bottom]  # F7 (N, C, P, W)
    y = (1 - u) * z[..., left] + u * z[..., right]  # F8 (N, C, P, Q)
    return y, (top, bottom, left, right, v, u, x.shape)


def upsample_bilinear2d_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `upsample_bilinear2d`."""
    top, bottom, left, right, v, u, x_shape = saved
    grad_z = np.zeros((*grad_y.shape[:3], x_shape[3]), grad_y.dtype)  # B8a (N, C, P, W)
    for q, weight in enumerate(u):  # B8b (N, C, P, W)
        grad_z[..., left[q]] += (1 - weight) * grad_y[..., q]
        grad_z[..., right[q]] += weight * grad_y[..., q]
    grad_x = np.zeros(x_shape, grad_y.dtype)  # B7a (N, C, H, W)
    for p, weight in enumerate(v):  # B7b (N, C, H, W)
        grad_x[:, :, top[p]] += (1 - weight) * grad_z[:, :, p]
        grad_x[:, :, bottom[p]] += weight * grad_z[:, :, p]
    return grad_x


def nearest(count: int, step: float, length: int) -> np.ndarray:
    """Return which of ``length`` pixels each of ``count`` pixels is a copy of, if each covers ``step`` of them."""
    return np.minimum(np.float32(step) * np.arange(count, dtype=np.float32), length - 1).astype(int)


def middles(count: int, step: float, align_corners: bool) -> np.ndarray:
    """Return where the middles of ``count`` pixels lie in an image of which each covers ``step`` pixels."""
    places = np.arange(count)
    return step * places if align_corners else np.maximum(step * (places + 0.5) - 0.5, 0)


class Upsample(Layer):
    """An image of another size, larger or smaller.

    Parameters
    ----------
    size : int or pair of int, optional
        The output's rows and columns.
    scale_factor : float or pair of float, optional
        How many times as high and wide the output is, rounded down to whole pixels. Either this or ``size``.
    mode : {"nearest", "bilinear"}
        Whether a pixel is a copy of the nearest one, or a mixture of four.
    align_corners : bool, optional
        For "bilinear": whether the middles of the outermost pixels stay in place, instead of their edges.
    recompute_scale_factor : bool, optional
        Whether to use the ratio of the sizes where it differs from ``scale_factor``.

    Raises
    ------
    ValueError
        If not exactly one of ``size`` and ``scale_factor`` is given, if it is a tuple of another length than two, or a
        pair for an input that is not (N, C, H, W); for ``align_corners`` with "nearest", and ``recompute_scale_factor``
        with ``size``.
    NotImplementedError
        For another ``mode``, or, if ``size`` or ``scale_factor`` is one number, an input that is not (N, C, H, W).
    RuntimeError
        If the input or the output would have no pixels, or there are no channels.

    Examples
    --------
    >>> layer = Upsample(scale_factor=(1, 2))
    >>> layer(np.array([[[[1.0, 3.0]]]]))
    array([[[[1., 1., 3., 3.]]]])
    >>> layer.backward(np.array([[[[10.0, 20.0, 30.0, 40.0]]]]))
    array([[[[30., 70.]]]])
    >>> Upsample(size=(1, 4), mode="bilinear")(np.array([[[[1.0, 3.0]]]]))
    array([[[[1. , 1.5, 2.5, 3. ]]]])
    """

    functions = upsample_nearest2d, upsample_nearest2d_backward
    functions_bilinear = upsample_bilinear2d, upsample_bilinear2d_backward

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        if mode not in ("nearest", "bilinear"):
            raise NotImplementedError(f"Upsample: expected mode 'nearest' or 'bilinear', got {mode!r}")
        if mode == "nearest" and align_corners is not None:
            raise ValueError(f"Upsample: expected align_corners with mode 'bilinear' only, got {align_corners!r}")
        self.size = size
        self.scale_factor = self._read_scale(scale_factor)
        if (size is None) == (self.scale_factor is None):
            raise ValueError(
                f"Upsample: expected size or scale_factor, got size={size!r}, scale_factor={scale_factor!r}"
            )
        if size is not None:
            if recompute_scale_factor:
                raise ValueError(f"Upsample: expected recompute_scale_factor with scale_factor only, got size={size!r}")
            if isinstance(size, (tuple, list)) and len(size) != 2:
                raise ValueError(f"Upsample: expected size to have two entries, got {size!r}")
            as_tuple(self, "size", size, 2, least=1)
        self.mode, self.align_corners, self.recompute_scale_factor = mode, align_corners, recompute_scale_factor

    def _read_scale(self, scale_factor: Any) -> float | tuple[float, float] | None:
        if not isinstance(scale_factor, tuple):
            return float(scale_factor) if scale_factor else None
        if len(scale_factor) != 2:
            raise ValueError(f"Upsample: expected scale_factor to have two entries, got {scale_factor!r}")
        return float(scale_factor[0]), float(scale_factor[1])

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` is a batch of images that have pixels and channels."""
        if x.ndim != 4:
            # PyTorch first compares the numbers of axes and of entries.
            kind = ValueError if isinstance(self.size or self.scale_factor, (tuple, list)) else NotImplementedError
            raise kind(f"Upsample: expected input of shape (N, C, H, W), got {x.shape}")
        if 0 in x.shape[1:]:
            raise RuntimeError(f"Upsample: expected input with at least one channel and pixel, got {x.shape}")

    def _plan(self, x: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
        # The output's size, and the steps.
        image, factors = x.shape[2:], self.scale_factor
        if factors is None:
            size = as_tuple(self, "size", self.size, 2, least=1)
            steps = [self._step(*one, None) for one in zip(image, size, strict=True)]
        else:
            factors = factors if isinstance(factors, tuple) else (factors, factors)
            size = tuple([int(length * factor) for length, factor in zip(image, factors, strict=True)])
            if min(size) < 1:
                raise RuntimeError(f"Upsample: expected an output of at least one pixel, got size {size} for {x.shape}")
            steps = [self._step(*one) for one in zip(image, size, factors, strict=True)]
        return size, tuple(steps)

    def _step(self, length: int, count: int, factor: float | None) -> float:
        if self.align_corners:
            return (length - 1) / (count - 1) if count > 1 else 0.0
        if factor is None or self.recompute_scale_factor or (self.mode == "nearest" and count in (length, 2 * length)):
            return length / count
        return 1 / factor

    def choose(self, x: np.ndarray) -> tuple[Pair, tuple]:
        """Return the mode's pair, and its forward's arguments for images of this size."""
        size, step = self._plan(x)
        if self.mode == "nearest":
            return self.functions, (size, step)
        return self.functions_bilinear, (size, step, bool(self.align_corners))

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        given = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{given}, mode={self.mode!r}"
