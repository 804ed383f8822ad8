"""PixelShuffle and PixelUnshuffle: channels become pixels, and pixels channels.

    N     batch, with all leading axes        C, H, W  channels, rows, columns
    x     (N, C, H, W)    input               r        upscale_factor, or downscale_factor
    y                     output

pixel_shuffle, for C = D r r
    F1  blocks = x, r r channels as a block of pixels  (N, D, r, r, H, W)
    F2  places = blocks, each inside of its pixel      (N, D, H, r, W, r)
    F3  y = places, as an image                        (N, D, H r, W r)

    B3  grad_places = grad_y, as                       (N, D, H, r, W, r)  F3: a reshape, by its inverse
    B2  grad_blocks = grad_places, the axes as before  (N, D, r, r, H, W)  F2: a transpose, by its inverse
    B1  grad_x = grad_blocks, as                       (N, C, H, W)        F1: as F3

pixel_unshuffle, for H = P r and W = Q r
    F1  places = x, in blocks of r x r pixels          (N, C, P, r, Q, r)
    F2  blocks = places, each block before its pixels  (N, C, r, r, P, Q)
    F3  y = blocks, as channels                        (N, C r r, P, Q)

    B3  grad_blocks = grad_y, as                       (N, C, r, r, P, Q)  F3: a reshape, by its inverse
    B2  grad_places = grad_blocks, the axes as before  (N, C, P, r, Q, r)  F2: a transpose, by its inverse
    B1  grad_x = grad_places, as                       (N, C, H, W)        F1: as F3

No number changes, so the backward of each is the other's forward. A transposed convolution of stride r, whose kernel is
a whole number of strides wide, equals a convolution of the small image to r r times the channels, followed by a
PixelShuffle: "sub-pixel convolution". `scratch.kernels.patch_plan` computes it this way.

PyTorch's counterparts: ``torch.nn.PixelShuffle``, ``torch.nn.PixelUnshuffle``. Shi et al., "Real-Time Single Image and
Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", arXiv:1609.05158.
"""

import math
from typing import Any

import numpy as np

from scratch.checks import name_of
from scratch.nn.layer import Layer


def pixel_shuffle(x: np.ndarray, factor: int) -> tuple[np.ndarray, tuple]:
    """Return an image ``factor`` times as high and wide, with pixels from ``factor`` squared times as many channels."""
    blocks = x.reshape(len(x), x.shape[1] // factor**2, factor, factor, *x.shape[2:])  # F1 (N, D, r, r, H, W)
    places = blocks.transpose(0, 1, 4, 2, 5, 3)  # F2 (N, D, H, r, W, r)
    y = places.reshape(*blocks.shape[:2], x.shape[2] * factor, x.shape[3] * factor)  # F3 (N, D, H r, W r)
    return y, (places.shape, x.shape)


def pixel_shuffle_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pixel_shuffle`."""
    places_shape, x_shape = saved
    grad_places = grad_y.reshape(places_shape)  # B3 (N, D, H, r, W, r)
    grad_blocks = grad_places.transpose(0, 1, 3, 5, 2, 4)  # B2 (N, D, r, r, H, W)
    grad_x = grad_blocks.reshape(x_shape)  # B1 (N, C, H, W)
    return grad_x


def pixel_unshuffle(x: np.ndarray, factor: int) -> tuple[np.ndarray, tuple]:
    """Return an image whose blocks of ``factor`` x ``factor`` pixels have become channels."""
    places = x.reshape(  # F1 (N, C, P, r, Q, r)
        *x.shape[:2], x.shape[2] // factor, factor, x.shape[3] // factor, factor
    )
    blocks = places.transpose(0, 1, 3, 5, 2, 4)  # F2 (N, C, r, r, P, Q)
    y = blocks.reshape(len(x), x.shape[1] * factor**2, *blocks.shape[4:])  # F3 (N, C r r, P, Q)
    return y, (blocks.shape, x.shape)


def pixel_unshuffle_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pixel_unshuffle`."""
    blocks_shape, x_shape = saved
    grad_blocks = grad_y.reshape(blocks_shape)  # B3 (N, C, r, r, P, Q)
    grad_places = grad_blocks.transpose(0, 1, 4, 2, 5, 3)  # B2 (N, C, P, r, Q, r)
    grad_x = grad_places.reshape(x_shape)  # B1 (N, C, H, W)
    return grad_x


class _Shuffle(Layer):
    passes_through = True  # for a factor of 1

    def take(self, name: str, factor: Any) -> int:
        """Return the factor, or raise ``TypeError`` unless it is an integer, ``RuntimeError`` if it is not positive."""
        if not isinstance(factor, (int, np.integer)) or isinstance(factor, bool):
            raise TypeError(f"{name_of(self)}: expected {name} to be an integer, got {factor!r}")
        if factor < 1:
            raise RuntimeError(f"{name_of(self)}: expected {name} of 1 or more, got {factor}")
        return int(factor)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` has channels, rows and columns."""
        if x.ndim < 3:
            raise RuntimeError(f"{name_of(self)}: expected input of shape (..., C, H, W), got {x.shape}")

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Map (..., C, H, W) to (N, C, H, W)."""
        return x.reshape(math.prod(x.shape[:-3]), *x.shape[-3:])

    def unfold(self, y: np.ndarray, input_shape: tuple[int, ...]) -> np.ndarray:
        """Map (N, ...) to the input's leading axes and the rest."""
        return y.reshape(*input_shape[:-3], *y.shape[1:])


class PixelShuffle(_Shuffle):
    """Turn channels into blocks of pixels: (..., C, H, W) to (..., C / r^2, H r, W r), r the ``upscale_factor``.

    Parameters
    ----------
    upscale_factor : int
        How many times as high and wide the output is.

    Raises
    ------
    TypeError, RuntimeError
        If ``upscale_factor`` is not a positive integer.
    RuntimeError
        If the input has fewer than three axes, or a number of channels that the factor's square does not divide.

    Examples
    --------
    >>> layer = PixelShuffle(2)
    >>> layer(np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1))
    array([[[1., 2.],
            [3., 4.]]])
    >>> layer.backward(np.array([[[10.0, 20.0], [30.0, 40.0]]])).reshape(-1)
    array([10., 20., 30., 40.])
    """

    functions = pixel_shuffle, pixel_shuffle_backward

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = self.take("upscale_factor", upscale_factor)

    def check(self, x: np.ndarray) -> None:
        """Raise unless the square of ``upscale_factor`` divides the channels of ``x``."""
        super().check(x)
        if x.shape[-3] % self.upscale_factor**2:
            raise RuntimeError(
                f"PixelShuffle: expected channels divisible by {self.upscale_factor**2}, got shape {x.shape}"
            )

    def arguments(self) -> tuple:
        """Return `pixel_shuffle`'s arguments after ``x``."""
        return (self.upscale_factor,)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(_Shuffle):
    """Turn blocks of pixels into channels: (..., C, H, W) to (..., C r^2, H / r, W / r), r the ``downscale_factor``.

    Parameters
    ----------
    downscale_factor : int
        How many times lower and narrower the output is.

    Raises
    ------
    TypeError, RuntimeError
        If ``downscale_factor`` is not a positive integer.
    RuntimeError
        If the input has fewer than three axes, or a number of rows or columns that the factor does not divide.

    Examples
    --------
    >>> PixelUnshuffle(2)(np.array([[[1.0, 2.0], [3.0, 4.0]]])).reshape(-1)
    array([1., 2., 3., 4.])
    """

    functions = pixel_unshuffle, pixel_unshuffle_backward

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = self.take("downscale_factor", downscale_factor)

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``downscale_factor`` divides the rows and columns of ``x``."""
        super().check(x)
        if x.shape[-2] % self.downscale_factor or x.shape[-1] % self.downscale_factor:
            raise RuntimeError(
                f"PixelUnshuffle: expected rows and columns divisible by {self.downscale_factor}, got shape {x.shape}"
            )

    def arguments(self) -> tuple:
        """Return `pixel_unshuffle`'s arguments after ``x``."""
        return (self.downscale_factor,)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"downscale_factor={self.downscale_factor}"
