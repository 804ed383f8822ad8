r"""The normal distribution function, which GELU needs and NumPy lacks.

    Phi(x) = P(a standard normal number <= x) = (1 + erf(x / sqrt(2))) / 2

In the left tail 1 + erf(...) is a difference of nearly equal numbers, which leaves nothing of the tiny result. So the
tail itself is what we compute, and the other half follows from it: Phi(x) = 1 - Phi(-x). With a = |x|,

    F1  t = (a - 4) / (a + 4)                          from -1 at a = 0 to 1 at infinity
    F2  Phi(-a) = exp(-a^2 / 2) P(t) / (1 + a)

exp(-a^2 / 2) / (1 + a) is how the tail falls, so what is left, P, varies slowly: between 0.40 and 0.53 over the whole
half-line. As a function of t it is a polynomial for all practical purposes: of degree 24 to within 1e-16, of degree 12
to within 2e-9 (relative). This is Shepherd and Laframboise's substitution ("Chebyshev Approximation of
(1 + 2x) exp(x^2) erfc x in 0 <= x < infinity", Mathematics of Computation 36, 1981). The coefficients below are the
truncated Chebyshev series of P, computed with 40 digits and written as powers of t; the test recomputes Phi with
``math.erfc``.

In the tail, Phi itself multiplies a relative error of its argument by x^2; the rounding of a^2 / 2 costs as much. The
relative error is therefore a few roundings for moderate x and x^2 / 2 roundings far out, where Phi(x) is nearly zero.
"""

import numpy as np

_COEFFICIENTS = {
    np.dtype(np.float32): (
        0.4720532064,
        -0.09670347043,
        0.01399964997,
        0.02860016814,
        -0.03219808644,
        0.01793769594,
        -0.005000840439,
        -0.0002912674952,
        0.0006903034857,
        -8.455401787e-05,
        -8.059327401e-05,
        1.25685467e-05,
        7.500679584e-06,
    ),
    np.dtype(np.float64): (
        0.47205320650984467,
        -0.09670347732652607,
        0.013999634724424333,
        0.02860036405357749,
        -0.03219783742802203,
        0.01793609747886859,
        -0.005002378592511494,
        -0.00028562308680939413,
        0.0006948971219073166,
        -9.443033944152223e-05,
        -8.785330394797745e-05,
        2.1250446856208376e-05,
        1.3627395285352675e-05,
        -3.433372216853275e-06,
        -2.6144101706596152e-06,
        4.0671730125154447e-07,
        5.548340462207789e-07,
        -1.237153366992197e-09,
        -1.1446850712758079e-07,
        -1.7932121916642413e-08,
        2.0257667136861587e-08,
        5.474708632048689e-09,
        -2.6180348731255444e-09,
        -6.763267210562454e-10,
        1.7873545221852657e-10,
    ),
}
_BLOCK = 8192  # elements whose intermediate results stay in the cache


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
    # A copy is dense whatever x is (a broadcast array, say, is not), so that in memory order it is one line.
    cdf = np.array(x, order="K")
    line = cdf.ravel(order="K")
    for start in range(0, line.size, _BLOCK):
        _to_cdf(line[start : start + _BLOCK])
    return cdf


@np.errstate(over="ignore")
def _to_cdf(x: np.ndarray) -> None:
    """Replace the numbers of a block by their Phi."""
    a = np.abs(x)
    t = 1.0 - 8.0 / (a + 4.0)  # F1, in the form that has a limit at infinity
    coefficients = _COEFFICIENTS[x.dtype]
    tail = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        tail *= t
        tail += coefficient
    tail /= a + 1.0
    tail *= np.exp(-0.5 * (a * a))  # F2
    np.abs(np.subtract(x > 0, tail), out=x)  # 1 - tail on the right; on the left |0 - tail|
