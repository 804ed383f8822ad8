r"""The normal distribution function, which GELU needs and NumPy lacks, and its density.

    cdf(x) = Phi(x) = P(a standard normal number <= x) = (1 + erf(x / sqrt(2))) / 2
    density(x) = Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi)

In the left tail 1 + erf(...) is a difference of nearly equal numbers, which leaves no correct digit of the tiny result.
So we compute the tail itself, and the other half follows from it: Phi(x) = 1 - Phi(-x).

    a = |x|
    t = (a - 4) / (a + 4)                              from -1 at a = 0 to 1 at infinity
    tail = Phi(-a) = exp(-a^2 / 2) P(t) / (1 + a)
    cdf = 1 - tail where x > 0, else tail

exp(-a^2 / 2) / (1 + a) is how the tail falls, so what is left, P, varies slowly: between 0.40 and 0.53 over the whole
half-line. As a function of t it is a polynomial for all practical purposes: of degree 24 to within 1e-16, of degree 12
to within 2e-9 (relative). This is Shepherd and Laframboise's substitution ("Chebyshev Approximation of
(1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", Mathematics of Computation 36, 1981). The coefficients, in
`scratch.normal_tail`, are the truncated Chebyshev series of P, computed with 40 digits and written as powers of t; the
test recomputes Phi with ``math.erfc``.

In the tail, Phi itself multiplies a relative error of its argument by x^2; the rounding of a^2 / 2 costs as much. The
relative error is therefore a few roundings for moderate x and x^2 / 2 roundings far out, where Phi(x) is nearly zero.
"""

import math

import numpy as np

from scratch.normal_tail import COEFFICIENTS


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Return Phi(x) element by element.

    Parameters
    ----------
    x : numpy.ndarray
        float32 or float64, any shape and memory layout.

    Returns
    -------
    numpy.ndarray
        Of the shape and dtype of ``x``, between 0 and 1; NaN where ``x`` is NaN.

    Examples
    --------
    >>> normal_cdf(np.array([-np.inf, -1.0, 0.0, 1.0, np.inf])).round(6)
    array([0.      , 0.158655, 0.5     , 0.841345, 1.      ])
    """
    a = np.abs(x)
    t = 1 - 8 / (a + 4)  # (a - 4) / (a + 4), in the form that has a limit at infinity
    p = np.zeros_like(t)
    for coefficient in reversed(COEFFICIENTS[x.dtype]):  # Horner's rule
        p = p * t + coefficient
    tail = np.exp(-(a * a) / 2) * p / (1 + a)
    return np.where(x > 0, 1 - tail, tail)


def normal_density(x: np.ndarray) -> np.ndarray:
    """Return the density of the normal distribution, Phi'(x), element by element.

    Examples
    --------
    >>> normal_density(np.array([-1.0, 0.0, 1.0])).round(6)
    array([0.241971, 0.398942, 0.241971])
    """
    return np.exp(-(x * x) / 2) / math.sqrt(2 * math.pi)
