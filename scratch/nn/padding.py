r"""Padding: rows and columns around an image, of zeros or of copies of its pixels.

    N, C    batch, channels                  x  (N, C, H, W)     input
    H, W    the image's rows and columns     y  (N, C, H1, W1)   output

pad
    F1  source = the number of the pixel that is copied to each place, from 1 in reading order,
        or 0 for a zero                           (H1, W1)
    F2  pixels = a zero, followed by those of x   (N, C, 1 + H W)
    F3  y = pixels[source]                        (N, C, H1, W1)

    B3a grad_pixels = 0                           (N, C, 1 + H W)   F3: room for sums
    B3b grad_pixels[source] += grad_y             (N, C, 1 + H W)   F3: a pixel that is copied to several places gets
                                                                    the sum of their gradients
    B2  grad_x = grad_pixels without the first    (N, C, H, W)      F2: the zero is a constant

For an image of 1 x 3 pixels, padded by 2 on the left and 1 on the right, source is

    zeros      0 0 1 2 3 0        replicate  1 1 1 2 3 3
    reflect    3 2 1 2 3 2        circular   2 3 1 2 3 1

PyTorch's counterpart: ``torch.nn.functional.pad`` of images.
"""

import math
from typing import Any

import numpy as np

# PyTorch's names of the modes, and those of numpy.pad.
MODES: dict[str, Any] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}

Padding = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns to add: ((top, bottom), (left, right))."""


def pad(x: np.ndarray, padding: Padding, mode: str) -> tuple[np.ndarray, tuple]:
    """Return ``x`` with rows and columns added around each image."""
    source = np.pad(
        1 + np.arange(math.prod(x.shape[2:])).reshape(x.shape[2:]), padding, mode=MODES[mode]
    )  # F1 (H1, W1)
    pixels = np.pad(x.reshape(*x.shape[:2], math.prod(x.shape[2:])), ((0, 0), (0, 0), (1, 0)))  # F2 (N, C, 1 + H W)
    y = pixels[:, :, source]  # F3 (N, C, H1, W1)
    return y, (source, x.shape)


def pad_backward(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Undo `pad`."""
    source, x_shape = saved
    grad_pixels = np.zeros((*x_shape[:2], 1 + math.prod(x_shape[2:])), grad_y.dtype)  # B3a (N, C, 1 + H W)
    for image in np.ndindex(*x_shape[:2]):  # B3b (N, C, 1 + H W)
        np.add.at(grad_pixels[image], source, grad_y[image])
    grad_x = grad_pixels[:, :, 1:].reshape(x_shape)  # B2 (N, C, H, W)
    return grad_x
