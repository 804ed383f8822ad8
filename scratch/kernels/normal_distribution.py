"""The normal distribution function and its density, together, in blocks that stay in the cache.

Float64. As in `scratch.nn.normal_distribution`, the tail is what we compute, tail = exp(-a^2 / 2) W(a) with a = |x|.
Here W is one quotient of polynomials,

    W(a) = N(a) / D(a)

of degrees 9 and 10 (to within 7e-17, relative, for a up to 39); above, the tail is 0 to the last digit. The exponential
that the tail needs is also the density's, so one serves both.

Float32. A table can be as precise as 24 bits need, and looking two numbers up is faster than an exponential and a
quotient. The table has Phi and its density at the knots k, which are 1 / KNOTS apart. With d = x - k for the nearest
knot, |d| <= 1 / (2 KNOTS), the tangents are

    Phi(x)  = Phi(k) + d Phi'(k)            to within d^2 |x| / 2, relative to the density: 3e-8 |x|
    Phi'(x) = Phi'(k) - x d Phi'(k)         to within d^2 (1 + x^2) / 2, likewise, since Phi''(x) = -x Phi'(x)

which is half a unit in the last place near 0, and further out half of what rounding x costs. KNOTS is a power of two,
so that x KNOTS, and with it d, has no rounding.
"""

import functools
import math

import numpy as np

from scratch.kernels import memory
from scratch.kernels.blocks import constant, elementwise
from scratch.kernels.quotient import Quotient

FAR = {np.dtype(np.float32): 15.0, np.dtype(np.float64): 39.0}  # where the tail is 0
KNOTS = 1 << 11
_FLOAT64 = (
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
)
_w = Quotient(_FLOAT64, _FLOAT64)
INV_SQRT_2_PI = 1 / math.sqrt(2 * math.pi)
PASSES = 16  # the work on a block costs about as much as this many passes through memory


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Return Phi(x) element by element; see `scratch.nn.normal_distribution`."""
    return elementwise(cdf_and_density, x, results=2, passes=PASSES)[0]


def normal_density(x: np.ndarray) -> np.ndarray:
    """Return the density of the normal distribution, Phi'(x), element by element."""
    return elementwise(_density, x, passes=PASSES)[0]


def cdf_and_density(x: np.ndarray, cdf: np.ndarray, density: np.ndarray) -> None:
    """Write Phi(x) and Phi'(x) for a block."""
    if x.dtype == np.float32:
        _look_up(x, cdf, density)
    else:
        _compute(x, cdf, density)


def _look_up(x: np.ndarray, cdf: np.ndarray, density: np.ndarray) -> None:
    far = FAR[x.dtype]
    cdf_at_knots, density_at_knots = _at_knots()
    near = np.clip(x, -far, far, out=memory.empty(x.shape, x.dtype))
    d = np.multiply(near, KNOTS, out=cdf)
    knot = np.rint(d, out=density)
    d -= knot
    d *= 1 / KNOTS
    knot += far * KNOTS
    # NaN becomes some number, which "clip" moves into the table. `np.take` would widen 32-bit places at each look-up.
    place = knot.astype(np.int32).astype(np.intp)
    at_knot = np.take(density_at_knots, place, mode="clip", out=density)
    step = np.multiply(d, at_knot, out=d)  # d Phi'(k)
    near *= step
    density -= near
    near = np.take(cdf_at_knots, place, mode="clip", out=near)
    np.add(step, near, out=cdf)


@functools.cache
def _at_knots() -> tuple[np.ndarray, np.ndarray]:
    """Return Phi and Phi' at the knots from -FAR to FAR, in float32."""
    far = int(FAR[np.dtype(np.float32)])
    knots = np.arange(-far * KNOTS, far * KNOTS + 1) / KNOTS
    cdf, density = np.empty_like(knots), np.empty_like(knots)
    _compute(knots, cdf, density)
    return cdf.astype(np.float32), density.astype(np.float32)


def _compute(x: np.ndarray, cdf: np.ndarray, density: np.ndarray) -> None:
    a = np.abs(x, out=cdf)
    np.minimum(a, constant(FAR[x.dtype], x), out=a)
    square = _w(a, cdf)[2]
    np.multiply(square, -0.5, out=density)
    np.exp(density, out=density)
    tail = np.multiply(cdf, density, out=cdf)
    density *= INV_SQRT_2_PI
    np.subtract(np.greater(x, 0.0), tail, out=tail)
    np.abs(tail, out=cdf)  # 1 - tail on the right; on the left |0 - tail|


def _density(x: np.ndarray, density: np.ndarray) -> None:
    np.multiply(x, x, out=density)
    density *= -0.5
    np.exp(density, out=density)
    density *= INV_SQRT_2_PI
