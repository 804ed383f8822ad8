"""The normal distribution function in blocks that stay in the cache, each worked out in place."""

import math

import numpy as np

from scratch.kernels import memory
from scratch.normal_tail import COEFFICIENTS

LOG_SQRT_2_PI = math.log(2 * math.pi) / 2
_BLOCK = 8192  # elements whose intermediate results stay in the cache


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Return Phi(x) element by element; see `scratch.nn.normal_distribution`."""
    # A copy is dense whatever x is (a broadcast array, say, is not), so that in memory order it is one line.
    cdf = np.array(x, order="K")
    line = cdf.ravel(order="K")
    for start in range(0, line.size, _BLOCK):
        _to_cdf(line[start : start + _BLOCK])
    return cdf


def normal_density(x: np.ndarray) -> np.ndarray:
    """Return the density of the normal distribution, Phi'(x), element by element."""
    density = np.multiply(x, x, out=memory.empty_like(x))
    density *= -0.5
    density -= LOG_SQRT_2_PI
    return np.exp(density, out=density)


def _to_cdf(x: np.ndarray) -> None:
    """Replace the numbers of a block by their Phi."""
    a = np.abs(x)
    t = 1.0 - 8.0 / (a + 4.0)  # (a - 4) / (a + 4), in the form that has a limit at infinity
    coefficients = COEFFICIENTS[x.dtype]
    tail = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        tail *= t
        tail += coefficient
    tail /= a + 1.0
    tail *= np.exp(-0.5 * (a * a))
    np.abs(np.subtract(x > 0, tail), out=x)  # 1 - tail on the right; on the left |0 - tail|
