r"""Arithmetic that rounds where PyTorch's compiled code rounds, so that random numbers agree to the last bit.

`multiply_add` is x * scale + shift rounded once, as processors do it in one instruction (a fused multiply-add);
NumPy's two operations round twice.

`log` and `sin_cos` are approximations, and two libraries seldom agree on every last bit. For float64, PyTorch calls the
system's mathematical library, as Python's ``math`` does. For float32 on x86 processors it has its own functions, after
the Cephes library (Moshier, 1984-92; vectorized by Pommier and Garberoglio). They work like most such functions, in two
steps: an identity brings the argument into a small interval, and there a polynomial approximates the function.

    log    x = m 2^e with sqrt(1/2) <= m < sqrt(2);   ln x = e ln 2 + ln m,   ln(1 + t) = t - t^2/2 + t^3 P(t)
    sin    x = j pi/4 + r with j even, |r| <= pi/4;   each quarter turn swaps sine and cosine, with a sign
           sin r = r + r^3 S(r^2),   cos r = 1 - r^2/2 + r^4 C(r^2)

ln 2 and pi/4 are split into parts of few bits whose multiples are exact, so that the right amount is subtracted
although the constant itself needs more precision than the type has. On other processors PyTorch's float32 functions
differ in the last bits.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

LOG_P: tuple[float, ...] = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1)
LOG_P += (-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
LN_2_PARTS = (-2.12194440e-4, 0.693359375)
SIN_P = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS_P = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
QUARTER_PI_PARTS = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def multiply_add(x: np.ndarray, scale: Any, shift: Any) -> np.ndarray:
    """Return x * scale + shift, rounded once to x's dtype; ``scale`` and ``shift`` are of that dtype too."""
    if x.dtype == np.float32:
        # The product of two 24-bit numbers fits in the 53 bits of a float64, and so, but for a far larger or smaller
        # shift, does the sum.
        return (np.multiply(x, scale, dtype=np.float64) + shift).astype(np.float32)
    if not (np.isfinite(scale) and np.isfinite(shift)):
        return x * scale + shift
    # There is no wider type to compute in, but the rounding error of a product and that of a sum are float64 numbers
    # themselves, and can be computed exactly (Dekker, 1971; Knuth, The Art of Computer Programming 2, 4.2.2).
    unit = np.ldexp(1.0, max(np.frexp(scale)[1], np.frexp(shift)[1]) - 1)  # keeps _halves from overflowing
    scale, shift = scale / unit, shift / unit
    product = x * scale
    (x_high, x_low), (scale_high, scale_low) = _halves(x), _halves(scale)
    product_error = (x_high * scale_high - product + x_high * scale_low + x_low * scale_high) + x_low * scale_low
    total = product + shift
    shift_used = total - product
    total_error = (product - (total - shift_used)) + (shift - shift_used)
    return (total + (total_error + product_error)) * unit


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split float64 numbers into two of at most 26 significant bits, whose products are exact."""
    spread = x * (2.0**27 + 1)
    high = spread - (spread - x)
    return high, x - high


def log(x: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of positive numbers."""
    if x.dtype == np.float64:
        return _by_math(math.log, x)
    mantissa, exponent = np.frexp(x)
    below = mantissa < np.float32(math.sqrt(0.5))
    exponent = (exponent - below).astype(np.float32)
    t = (mantissa - np.float32(1)) + np.where(below, mantissa, np.float32(0))
    square = t * t
    cubic = _polynomial(LOG_P, t) * t
    small, large = (np.float32(part) for part in LN_2_PARTS)
    rest = multiply_add(cubic, square, exponent * small) - square * np.float32(0.5)
    return exponent * large + (t + rest)


def sin_cos(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sine and cosine of angles from [0, 2 pi]."""
    if x.dtype == np.float64:
        return _by_math(math.sin, x), _by_math(math.cos, x)
    eighths = (x * np.float32(4 / math.pi)).astype(np.int32)
    eighths += eighths & 1
    for part in QUARTER_PI_PARTS:
        x = multiply_add(eighths.astype(np.float32), np.float32(-part), x)
    square = x * x
    sine = multiply_add(_polynomial(SIN_P, square) * square, x, x)
    half = square * np.float32(0.5)
    cosine = multiply_add(_polynomial(COS_P, square) * square, square, -half) + np.float32(1)
    swapped = (eighths & 2) != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    sine = np.where(eighths & 4, -sine, sine)
    cosine = np.where((eighths + 2) & 4, -cosine, cosine)
    return sine, cosine


def _polynomial(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Return the polynomial, highest power first, by Horner's rule."""
    first, *others = (np.float32(coefficient) for coefficient in coefficients)
    value: Any = first
    for coefficient in others:
        value = multiply_add(x, value, coefficient)
    return value


def _by_math(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    return np.array([function(value) for value in x.ravel().tolist()]).reshape(x.shape)
