"""Quotients of two polynomials, for functions that NumPy lacks or computes element by element.

Horner's rule takes two passes through the block for each degree of a polynomial. With the powers of the variable as the
rows of a matrix, a polynomial is the product of its coefficients with that matrix, and the BLAS takes a tenth of a pass
for each term; numerator and denominator share the powers.

All coefficients here are positive, and so are the variables: nothing cancels, and the result is as accurate as its
terms. The coefficients minimize the largest relative error (the linearized problem by weighted least squares, with
Lawson's weights, in 70 digits).
"""

from collections.abc import Sequence

import numpy as np

from scratch.kernels import memory


class Quotient:
    """N(a) / D(a), with coefficients for each dtype, lowest degree first.

    Parameters
    ----------
    float32, float64 : pairs of sequences of float
        The coefficients of N and of D; D has at least as many as N, and more than two.

    Examples
    --------
    >>> half = Quotient(([1.0], [2.0, 0.0, 0.0]), ([1.0], [2.0, 0.0, 0.0]))
    >>> y = np.empty(3)
    >>> half(np.arange(3.0), y)[2]
    array([0., 1., 4.])
    >>> y
    array([0.5, 0.5, 0.5])
    """

    def __init__(
        self,
        float32: tuple[Sequence[float], Sequence[float]],
        float64: tuple[Sequence[float], Sequence[float]],
    ) -> None:
        self.coefficients = {
            np.dtype(dtype): tuple(np.array(values, dtype) for values in pair)
            for dtype, pair in ((np.float32, float32), (np.float64, float64))
        }

    def __call__(self, a: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write the quotient for an array of one axis into ``out``, and return the powers of ``a``, from 0 on."""
        numerator, denominator = self.coefficients[a.dtype]
        count = len(denominator)
        room = memory.empty((count + 1, len(a)), a.dtype)
        powers, divisor = room[:count], room[count]
        powers[0] = 1.0
        powers[1] = a
        for degree in range(2, count):
            np.multiply(powers[degree - 1], a, out=powers[degree])
        np.matmul(numerator, powers[: len(numerator)], out=out)
        np.matmul(denominator, powers, out=divisor)
        np.divide(out, divisor, out=out)
        return powers
