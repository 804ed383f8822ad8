r"""Padding: rows and columns around an image, of zeros or another value, or of copies of its pixels.

    N, C    batch, channels                  x  (N, C, H, W)     input
    H, W    the image's rows and columns     y  (N, C, H1, W1)   output

pad
    F1  numbers = the number of the pixel that is copied to each place, from 1 in reading order,
        or 0 for the value                        (.., ..)          without negative padding
    F2  source = numbers without the rows and columns that negative padding cuts off  (H1, W1)
    F3  pixels = the value, followed by those of x  (N, C, 1 + H W)
    F4  y = pixels[source]                        (N, C, H1, W1)

    B4a grad_pixels = 0                           (N, C, 1 + H W)   F4: room for sums
    B4b grad_pixels[source] += grad_y             (N, C, 1 + H W)   F4: a pixel that is copied to several places gets
                                                                    the sum of their gradients; one that is cut off,
                                                                    nothing
    B3  grad_x = grad_pixels without the first    (N, C, H, W)      F3: the value is a constant

For an image of 1 x 3 pixels, padded by 2 on the left and 1 on the right, source is

    zeros      0 0 1 2 3 0        replicate  1 1 1 2 3 3
    reflect    3 2 1 2 3 2        circular   2 3 1 2 3 1

A negative padding cuts off that many rows or columns, after the others were added: a pixel that is reflected may itself
be cut off.

The layers: ZeroPad2d and ConstantPad2d add a value, ReflectionPad2d, ReplicationPad2d and CircularPad2d add copies.
Their 1d twins treat sequences, (N, C, L), as images of one row.

PyTorch's counterpart: ``torch.nn.functional.pad`` of images, and the layers' namesakes. Differs from it: a padding has
an entry for each side, or is one number for all; a constant is added to images or sequences only; images without
pixels, which PyTorch pads with a constant, are refused; circular padding is never negative. With a negative one PyTorch
repeats what is left; where that is not enough, it raises an error or repeats uninitialized memory.
"""

import math
from typing import Any, ClassVar

import numpy as np

from scratch.checks import name_of
from scratch.nn.image_layer import ImageLayer, Size

# PyTorch's names of the modes, and those of numpy.pad.
MODES: dict[str, Any] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}

Padding = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns to add, or, if negative, to cut off: ((top, bottom), (left, right))."""


def pad(x: np.ndarray, padding: Padding, mode: str, value: float = 0.0) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with rows and columns added around each image; "zeros" are ``value``."""
    numbers = np.pad(  # F1 (.., ..)
        1 + np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:]), np.maximum(padding, 0), mode=MODES[mode]
    )
    source = numbers[  # F2 (H1, W1)
        tuple([slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(numbers.shape, padding, strict=True)])
    ]
    pixels = np.pad(  # F3 (N, C, 1 + H W)
        x.reshape(*x.shape[:2], math.prod(x.shape[2:])), ((0, 0), (0, 0), (1, 0)), constant_values=value
    )
    y = pixels[:, :, source]  # F4 (N, C, H1, W1)
    return y, (source, x.shape)


def pad_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pad`."""
    source, x_shape = saved
    grad_pixels = np.zeros((*x_shape[:2], 1 + math.prod(x_shape[2:])), grad_y.dtype)  # B4a (N, C, 1 + H W)
    for image in np.ndindex(*x_shape[:2]):  # B4b (N, C, 1 + H W)
        np.add.at(grad_pixels[image], source, grad_y[image])
    grad_x = grad_pixels[:, :, 1:].reshape(x_shape)  # B3 (N, C, H, W)
    return grad_x


class _Pad(ImageLayer):
    functions = pad, pad_backward
    passes_through = True
    mode: ClassVar[str] = "zeros"
    value: Any = 0.0  # PyTorch's name; `Layer.value` is for parameters, and there are none

    def __init__(self, padding: Size) -> None:
        super().__init__()
        count = 2 * self.axes
        sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * count
        if not all(isinstance(side, (int, np.integer)) for side in sides):
            raise TypeError(f"{name_of(self)}: expected padding to be integers, got {padding!r}")
        if len(sides) != count:
            order = "left, right, top, bottom"[: 11 if self.axes == 1 else None]
            raise RuntimeError(f"{name_of(self)}: expected padding to have {count} entries ({order}), got {padding!r}")
        if self.mode == "circular" and min(sides) < 0:
            raise RuntimeError(f"{name_of(self)}: expected padding of 0 or more, got {padding!r}")
        self.padding = tuple([int(side) for side in sides])
        # PyTorch counts from the last axis: left, right, top, bottom.
        self._sides = tuple([self.padding[2 * axis : 2 * axis + 2] for axis in reversed(range(self.axes))])

    def check(self, x: np.ndarray) -> None:
        """Raise unless ``x`` holds images with the pixels to be copied, some of which are left after the padding."""
        if x.ndim not in (self.axes + 1, self.axes + 2):
            kind = {"zeros": RuntimeError, "circular": ValueError}.get(self.mode, NotImplementedError)
            raise kind(f"{name_of(self)}: expected input of shape {self.layout}, got {x.shape}")
        super().check(x)
        if self.mode in ("reflect", "replicate") and x.shape[-self.axes - 1] == 0:
            raise RuntimeError(f"{name_of(self)}: expected input with at least one channel, got {x.shape}")
        image = x.shape[-self.axes :]
        spare = {"reflect": 1, "circular": 0}.get(self.mode)
        least = 1 if self.mode in ("reflect", "replicate") else 0
        for length, sides in zip(image, self._sides, strict=True):
            if spare is not None and max(sides) > length - spare:
                raise RuntimeError(
                    f"{name_of(self)}: expected padding that the image has enough pixels for, got {self.padding} for "
                    f"an image of size {image}"
                )
            cut = -sum(min(side, 0) for side in sides)
            if length + sum(sides) < least or (self.mode == "zeros" and cut > length):
                raise RuntimeError(
                    f"{name_of(self)}: expected padding that does not cut off too much, got {self.padding} for an "
                    f"image of size {image}"
                )

    def arguments(self) -> tuple:
        """Return `pad`'s arguments after ``x``."""
        return self.on_images(self._sides, (0, 0)), self.mode, self.value

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding)
        if not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{name_of(self)}: expected value to be a number, got {value!r}")
        self.value = value

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(_Pad):
    """Zeros around each image.

    Parameters
    ----------
    padding : int or four int
        (left, right, top, bottom), or one number for all; a negative one cuts off.

    Raises
    ------
    TypeError, RuntimeError
        If ``padding`` is anything else, the input is not (N, C, H, W) or (C, H, W), or more is cut off than there is.

    Examples
    --------
    >>> layer = ZeroPad2d((2, -1, 1, 0))
    >>> layer(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[0., 0., 0., 0.],
            [0., 0., 1., 2.]]])
    >>> layer.backward(np.array([[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]))
    array([[[7., 8., 0.]]])
    """


class ZeroPad1d(_Pad):
    """Zeros at both ends of each sequence, as `ZeroPad2d` around images; ``padding`` is (left, right) or one number."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """A number around each image.

    Parameters
    ----------
    padding : int or four int
        As for `ZeroPad2d`.
    value : float
        The number.

    Raises
    ------
    TypeError, RuntimeError
        As `ZeroPad2d` does, and if ``value`` is not a number.

    Examples
    --------
    >>> ConstantPad2d((1, 1, 0, 0), 9.0)(np.array([[[1.0, 2.0]]]))
    array([[[9., 1., 2., 9.]]])
    """


class ConstantPad1d(_ConstantPad):
    """A number at both ends of each sequence, as `ConstantPad2d`; ``padding`` is (left, right) or one number."""

    axes = 1


class ReflectionPad2d(_Pad):
    """Each image's mirror image around it, without repeating the outermost row or column.

    Parameters
    ----------
    padding : int or four int
        As for `ZeroPad2d`; each smaller than the image.

    Raises
    ------
    TypeError, RuntimeError, NotImplementedError
        As `ZeroPad2d` does, the last for an input with other axes, as in PyTorch; and if the image is too small.

    Examples
    --------
    >>> layer = ReflectionPad2d((2, 1, 0, 0))
    >>> layer(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[3., 2., 1., 2., 3., 2.]]])
    >>> layer.backward(np.array([[[1.0, 20.0, 300.0, 4.0, 50.0, 600.0]]]))
    array([[[300., 624.,  51.]]])
    """

    mode = "reflect"


class ReflectionPad1d(_Pad):
    """At both ends of each sequence its mirror image, as in `ReflectionPad2d`; ``padding`` is (left, right)."""

    mode = "reflect"
    axes = 1


class ReplicationPad2d(_Pad):
    """Copies of each image's outermost pixels around it.

    Parameters
    ----------
    padding : int or four int
        As for `ZeroPad2d`.

    Raises
    ------
    TypeError, RuntimeError, NotImplementedError
        As `ZeroPad2d` does, the last for an input with other axes, as in PyTorch.

    Examples
    --------
    >>> ReplicationPad2d((2, 1, 0, 0))(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[1., 1., 1., 2., 3., 3.]]])
    """

    mode = "replicate"


class ReplicationPad1d(_Pad):
    """At both ends of each sequence copies of its last element, as `ReplicationPad2d`; ``padding`` is (left, right)."""

    mode = "replicate"
    axes = 1


class CircularPad2d(_Pad):
    """Around each image the image again, as if it were tiled.

    Parameters
    ----------
    padding : int or four int
        As for `ZeroPad2d`; each at most the image's size, none negative.

    Raises
    ------
    TypeError, RuntimeError, ValueError
        As `ZeroPad2d` does, the last for an input with other axes, as in PyTorch; and if the image is too small.

    Examples
    --------
    >>> CircularPad2d((2, 1, 0, 0))(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[2., 3., 1., 2., 3., 1.]]])
    """

    mode = "circular"


class CircularPad1d(_Pad):
    """Each sequence's end before it and its beginning after it, as `CircularPad2d`; ``padding`` is (left, right)."""

    mode = "circular"
    axes = 1
