"""The first rung: the formula as written, a loop for each letter.

Backward is the same loops. Forward adds weight times pixel to an output; each of the two factors gets the other factor
times that output's gradient.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np


def convolve(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the convolution of ``x``, one multiplication at a time."""
    y = np.zeros((len(x), len(weight), *x.shape[2:]), x.dtype)
    for n, o, p, q in np.ndindex(*y.shape):
        for c in range(x.shape[1]):
            for i, j, row, column in under(p, q, *x.shape[2:]):
                y[n, o, p, q] += weight[o, c, i, j] * x[n, c, row, column]
    return y


def convolve_backward(x: np.ndarray, weight: np.ndarray, grad_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of ``x`` and ``weight``, from the output's gradient."""
    grad_x, grad_weight = np.zeros_like(x), np.zeros_like(weight)
    for n, o, p, q in np.ndindex(*grad_y.shape):
        for c in range(x.shape[1]):
            for i, j, row, column in under(p, q, *x.shape[2:]):
                grad_weight[o, c, i, j] += grad_y[n, o, p, q] * x[n, c, row, column]
                grad_x[n, c, row, column] += grad_y[n, o, p, q] * weight[o, c, i, j]
    return grad_x, grad_weight


def under(p: int, q: int, height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the places (i, j) of the kernel at (p, q) that lie on the image, and the pixel's row and column there."""
    for i, j in product(range(3), range(3)):
        row, column = p + i - 1, q + j - 1
        if 0 <= row < height and 0 <= column < width:
            yield i, j, row, column
