"""The normal distribution function and its density, together, in blocks that stay in the cache.

As in `scratch.nn.normal_distribution`, the tail is what we compute, tail = exp(-a^2 / 2) W(a) with a = |x|. Here W is
one quotient of polynomials,

    W(a) = N(a) / D(a)

of degrees 4 and 5 for float32 (to within 7e-9, relative, for a up to 15) and 9 and 10 for float64 (to within 7e-17, up
to 39); above, the tail is 0 to the last digit. All coefficients are positive: nothing cancels, and every sum is as
exact as its terms. They are the weighted least squares of the linearized problem with Lawson's weights, at 70 digits.

A polynomial by Horner's rule is two passes through the block for each degree. With the powers of a side by side, one
for each row of a matrix, both polynomials are products of their coefficients with it, and BLAS takes a tenth of a pass
for each term.

The exponential that the tail needs is the density's, so that both come out of one.
"""

import math

import numpy as np

from scratch.kernels import memory
from scratch.kernels.blocks import elementwise

FAR = {np.dtype(np.float32): 15.0, np.dtype(np.float64): 39.0}  # where the tail is 0
NUMERATOR = {
    np.dtype(np.float32): (
        0.5000000029000874,
        0.43921076405643107,
        0.18390798791249218,
        0.040858360165765937,
        0.00414921312659402,
    ),
    np.dtype(np.float64): (
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
}
DENOMINATOR = {
    np.dtype(np.float32): (
        1.0,
        1.6763065093131033,
        1.205310182655514,
        0.47124532309206646,
        0.10242283429531334,
        0.010400423427494542,
    ),
    np.dtype(np.float64): (
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
}
_COEFFICIENTS = {
    dtype: tuple(np.array(values[dtype], dtype) for values in (NUMERATOR, DENOMINATOR)) for dtype in FAR
}
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
    numerator, denominator = _COEFFICIENTS[x.dtype]
    powers = memory.empty((len(denominator), len(x)), x.dtype)
    powers[0] = 1.0
    a, square = powers[1], powers[2]
    np.abs(x, out=a)
    bell.fill(FAR[x.dtype])
    np.minimum(a, bell, out=a)  # an array of one number is quicker than the number
    np.multiply(a, a, out=square)
    for degree in range(3, len(powers)):
        np.multiply(powers[degree - 1], a, out=powers[degree])
    tail = np.matmul(numerator, powers[: len(numerator)], out=cdf)
    np.matmul(denominator, powers, out=bell)
    np.divide(tail, bell, out=tail)
    np.multiply(square, -0.5, out=bell)
    np.exp(bell, out=bell)
    np.multiply(tail, bell, out=tail)
    np.subtract(np.greater(x, 0.0), tail, out=tail)
    np.abs(tail, out=cdf)  # 1 - tail on the right; on the left |0 - tail|


def _density(x: np.ndarray, density: np.ndarray) -> None:
    np.multiply(x, x, out=density)
    density *= -0.5
    np.exp(density, out=density)
    density *= INV_SQRT_2_PI
