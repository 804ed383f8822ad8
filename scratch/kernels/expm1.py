"""exp(x) - 1 for negative x, without cancellation; NumPy's expm1 works element by element.

In float32 it is x N(-x) / D(-x), of degrees 6 and 7, to within 7e-10, relative, from x = -18 on, below which it is -1
to the last digit. In float64 so many powers would be needed that NumPy is as fast.
"""

import numpy as np

from scratch.kernels.blocks import constant
from scratch.kernels.quotient import Quotient

FAR = -18.0
_FLOAT32 = (
    (
        1.0000000005370434,
        0.11765116104562926,
        0.040227977430235213,
        0.0040302037010163146,
        0.00042841260922975033,
        2.7194317434153417e-5,
        1.3504918786342702e-6,
    ),
    (
        1.0,
        0.61765118774762923,
        0.18238668560037659,
        0.033949055322956925,
        0.0044060889644039003,
        0.00041456291145941908,
        2.7484216846461681e-5,
        1.3478401507918218e-6,
    ),
)
_ratio = Quotient(_FLOAT32, _FLOAT32)


def expm1_below(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write exp(x) - 1 of an array with one axis, none of whose numbers is above 0."""
    if x.dtype == np.float64:
        return np.expm1(x, out=out)
    near = np.maximum(x, constant(FAR, x))
    np.negative(near, out=out)
    _ratio(out, out)
    return np.multiply(out, near, out=out)


def expm1_and_slope_below(x: np.ndarray, e: np.ndarray, slope: np.ndarray) -> None:
    """Write exp(x) - 1, and its derivative exp(x).

    Where x is far below 0, the derivative e + 1 comes from the last digits of e alone. Those of NumPy's expm1 are good
    enough for that, those of the quotient are not.
    """
    expm1_below(x, e)
    if x.dtype == np.float64:
        np.add(e, 1.0, out=slope)
    else:
        np.exp(x, out=slope)
