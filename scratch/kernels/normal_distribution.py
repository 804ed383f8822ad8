"""The normal distribution function and its density, together, in blocks that stay in the cache.

As in `scratch.nn.normal_distribution`, the tail is what we compute, tail = exp(-a^2 / 2) W(a) with a = |x|. Here W is
one quotient of polynomials,

    W(a) = N(a) / D(a)

of degrees 4 and 5 for float32 (to within 7e-9, relative, for a up to 15) and 9 and 10 for float64 (to within 7e-17, up
to 39); above, the tail is 0 to the last digit.

The exponential that the tail needs is the density's, so that both come out of one.
"""

import math

import numpy as np

from scratch.kernels.blocks import constant, elementwise
from scratch.kernels.quotient import Quotient

FAR = {np.dtype(np.float32): 15.0, np.dtype(np.float64): 39.0}  # where the tail is 0
_w = Quotient(
    float32=(
        (0.5000000029000874, 0.43921076405643107, 0.18390798791249218, 0.040858360165765937, 0.00414921312659402),
        (
            1.0,
            1.6763065093131033,
            1.205310182655514,
            0.47124532309206646,
            0.10242283429531334,
            0.010400423427494542,
        ),
    ),
    float64=(
        (
            0.49999999999999998,
            0.77491686443931972,
            0.59410542486037865,
            0.289372875878352,
            0.097716472232796569,
            0.023627341675118953,
            0.0040902816896694904,
            0.00049054441878016416,
            3.7264253509856150e-5,
            1.3860647576534877e-6,
        ),
        (
            1.0,
            2.3477182896814951,
            2.5614190261724466,
            1.7145648219093188,
            0.78215095678641391,
            0.25500486101382598,
            0.060447626931682473,
            0.010346223354913818,
            0.0012330868593862144,
            9.3407631478711169e-5,
            3.4743491120139830e-6,
        ),
    ),
)
INV_SQRT_2_PI = 1 / math.sqrt(2 * math.pi)
PASSES = 16  # what the work on a block costs: about as much as so many passes through memory


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Return Phi(x) element by element; see `scratch.nn.normal_distribution`."""
    return elementwise(cdf_and_bell, x, results=2, passes=PASSES)[0]


def normal_density(x: np.ndarray) -> np.ndarray:
    """Return the density of the normal distribution, Phi'(x), element by element."""
    return elementwise(_density, x, passes=PASSES)[0]


def cdf_and_bell(x: np.ndarray, cdf: np.ndarray, bell: np.ndarray) -> None:
    """Write Phi(x) and exp(-x^2 / 2), which is the density times sqrt(2 pi), of a block."""
    a = np.abs(x, out=cdf)
    np.minimum(a, constant(FAR[x.dtype], x), out=a)
    square = _w(a, cdf)[2]
    np.multiply(square, -0.5, out=bell)
    np.exp(bell, out=bell)
    tail = np.multiply(cdf, bell, out=cdf)
    np.subtract(np.greater(x, 0.0), tail, out=tail)
    np.abs(tail, out=cdf)  # 1 - tail on the right; on the left |0 - tail|


def _density(x: np.ndarray, density: np.ndarray) -> None:
    np.multiply(x, x, out=density)
    density *= -0.5
    np.exp(density, out=density)
    density *= INV_SQRT_2_PI
