"""The backward pass of the second rung: two more matrix products, and what undoes im2col.

    forward      y = patches weight^T                 (N H W, O)
    dW           grad_weight = grad_y^T patches       (O, 9 C)       each factor's gradient is the result's gradient
    dX           grad_patches = grad_y weight         (N H W, 9 C)   times the other factor
                 grad_x = col2im(grad_patches)        (N, C, H, W)   nine copies of a pixel: nine gradients add up

With a stride of 1, dX can be computed without col2im. A pixel at row p was under the kernel's row i for the output at
row p - i + 1, so its gradient is a sum over weight[i] grad_y[p - i + 1]: a convolution of grad_y with the flipped
kernel, with input and output channels exchanged. So a faster forward pass gives a faster dX, too.
"""

from itertools import product

import numpy as np

from benchmarks.lessons.ladder import Convolve
from benchmarks.lessons.ladder.one_product import im2col


def grad_weight(x: np.ndarray, grad_y: np.ndarray) -> np.ndarray:
    """Return dW, (O, C, 3, 3)."""
    return (as_rows(grad_y).T @ im2col(x)).reshape(grad_y.shape[1], x.shape[1], 3, 3)


def grad_x_by_col2im(weight: np.ndarray, grad_y: np.ndarray) -> np.ndarray:
    """Return dX, (N, C, H, W): a product, whose rows are added back to where im2col took them from."""
    n_images, _, height, width = grad_y.shape
    grad_patches = as_rows(grad_y) @ weight.reshape(len(weight), -1)
    grad_windows = grad_patches.reshape(n_images, height, width, -1, 3, 3).transpose(0, 3, 1, 2, 4, 5)
    grad_padded = np.zeros((n_images, weight.shape[1], height + 2, width + 2), grad_y.dtype)
    for i, j in product(range(3), range(3)):
        grad_padded[:, :, i : i + height, j : j + width] += grad_windows[..., i, j]
    return grad_padded[:, :, 1:-1, 1:-1]


def grad_x_by_convolution(weight: np.ndarray, grad_y: np.ndarray, convolve: Convolve) -> np.ndarray:
    """Return dX, (N, C, H, W), by any rung's ``convolve``."""
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return convolve(grad_y, flipped)


def as_rows(y: np.ndarray) -> np.ndarray:
    """Return (N, O, H, W) as (N H W, O)."""
    return y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])
