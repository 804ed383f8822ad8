"""Linear, with its matrix products on our own threads, and sums over the batch as products."""

import numpy as np

from scratch.kernels import products
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.output_mask import is_read


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Return ``x`` times the transposed weight, plus the bias."""
    y = products.matmul(x, weight.T)
    if isinstance(bias, np.ndarray):
        y += bias
    return y, (x,)


def linear_backward(
    grad_y: np.ndarray, weight: np.ndarray, saved: tuple
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Undo `linear`; skip gradients that nobody reads."""
    (x,) = saved
    grad_bias = channel_sum(grad_y) if is_read(2) else None
    grad_x, grad_weight = products.matmuls(
        (grad_y, weight) if is_read(0) else None, (grad_y.T, x) if is_read(1) else None
    )
    return grad_x, grad_weight, grad_bias
