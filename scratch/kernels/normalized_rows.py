"""What LayerNorm and GroupNorm do with rows: normalize them, and undo that as `scratch.nn.layernorm` simplifies it."""

import numpy as np

from scratch.kernels.rows import row_dot, row_sum

# The unit in the last place, squared.
_NEGLIGIBLE = {np.dtype(dtype): np.finfo(dtype).eps ** 2 for dtype in (np.float32, np.float64)}


def normalize_rows(x: np.ndarray, eps: float, normalized: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the normalized rows (R, K) of ``x`` (R, K), and r = 1 / std (R, 1); return mean and var (R, 1)."""
    count = max(x.shape[1], 1)
    mean = row_sum(x) / count
    np.subtract(x, mean, out=normalized)
    residue, var = row_sum(normalized) / count, row_dot(normalized, normalized) / count
    # What rounding has left of the mean is most often below the rounding of the numbers that it would be subtracted
    # from.
    if np.vdot(residue, residue) > _NEGLIGIBLE[x.dtype] * np.minimum.reduce(var, axis=None, initial=np.inf):
        normalized -= residue
        var = row_dot(normalized, normalized) / count
    np.divide(1.0, np.sqrt(var + eps), out=r)
    normalized *= r
    return mean, var


def project(
    grad: np.ndarray, normalized: np.ndarray, total: np.ndarray, along: np.ndarray, r: np.ndarray, grad_x: np.ndarray
) -> None:
    """Write the gradient of the rows: that of the normalized ones, less its mean and its component along them.

    Parameters
    ----------
    grad, normalized, grad_x : numpy.ndarray of shape (R, K)
    total, along : numpy.ndarray of shape (R, 1)
        The sums over the rows of ``grad`` and of ``grad * normalized``.
    r : numpy.ndarray of shape (R, 1)
        1 / std.
    """
    count = max(grad.shape[1], 1)
    np.multiply(normalized, along / count, out=grad_x)
    grad_x += total / count
    np.subtract(grad, grad_x, out=grad_x)
    grad_x *= r
