r"""How far two correct programs may be apart: a budget derived from what rounding can do, before any layer is run.

Three things are known about the rounding error of a computed quantity (Higham, "Accuracy and Stability of Numerical
Algorithms", 2nd ed., 2002; u is the unit roundoff, 2^-24 in float32 and 2^-53 in float64):

1.  A sum of n terms, and so an inner product, is computed with an error of at most gamma_n sum_i |x_i|, where
    gamma_n = n u / (1 - n u) (Higham, section 4.2). That is the worst case; the roundings are not all of one sign, and
    with probability close to one the factor is lambda sqrt(n) u with a small lambda (Higham and Mary, "A new approach
    to probabilistic rounding error analysis", 2019, theorem 2.4; lambda = 4 fails with a probability near 2 exp(-8)
    per sum). Blocked and pairwise summation, which BLAS and NumPy use along the fast axis, stay below that.
2.  The error is to be measured against sum |x_i|, not against the sum, which may have cancelled. A stable program
    returns the exact result for inputs changed relatively by a few u (section 1.5), so the yardstick is how far the
    exact result moves when everything that goes in is changed a little. We measure it: every number (input,
    parameters, upstream gradient) is moved towards zero by a relative delta or 0, at random, in float64, and

        S = |f(moved) - f| / delta,   the largest over the elements of a quantity.

    At a kink or a tie the result jumps, and jump / delta would be a huge S for a small delta. So S is taken at
    delta = 2^-10 and at 2^-20 and the smaller counts: a near tie that only the larger delta breaks does no harm, and at
    an exact tie S is about 1000 jumps. That allows float64 an error of 1e-9 of the jump, and float32 one of
    2.5e-4 sqrt(n) of it, where a tie broken wrongly costs the whole jump.
3.  A result is at best rounded to its own format: u M, M the largest magnitude in the quantity. Below the smallest
    normal number the spacing no longer shrinks, so each of the n terms may lose a subnormal unit besides.

So with scale = max(M, S):

    float64   |scratch - torch| <= 1e-12 scale           since 4 sqrt(n) u < 1e-12 for every n < 5e6
    float32   |scratch - truth| <= 4 (e + sqrt(n) u scale)

where the truth is PyTorch's float64 run on the same float32 numbers, and e the largest error of PyTorch's own float32
run. e is what a program with the same information made of the same numbers, so it covers what S fails to see (an
intermediate inside the layer that exceeds its accuracy). The factor 4 is lambda; it also lets us be four times as
unlucky as PyTorch.

n is the number of terms behind an element. A layer built of sums of products makes P = size(output) * fan products in
its forward pass, where fan is how many numbers an element of the output depends on (we ask autograd). Each gradient
uses each product's factors once more, so a quantity of size s sums about P / s of them, but never more than the largest
array has elements. A convolution that multiplies sums of pixels (`scratch.kernels.winograd`) takes fewer products and
rounds a few times more; its budget is that of the plain one.

S and n cost five more runs of PyTorch's layer; M and e are there anyway. So a `Budget` starts with what M and e allow a
single term. The rest is computed only if an error exceeds that, or if somebody reads the number.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

FACTOR = 4
FLOAT64_RELATIVE = 1e-12
DELTAS = (2.0**-10, 2.0**-20)


def unit_roundoff(dtype: np.dtype) -> float:
    """Return u, half the distance from 1 to the next number of ``dtype``."""
    return float(np.finfo(dtype).eps) / 2


def magnitude(values: np.ndarray) -> float:
    """Return the largest finite magnitude in ``values``, 0 if there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def scale(truth: np.ndarray, moved: dict[float, list[np.ndarray]]) -> float:
    """Return max(M, S) from the exact result and the results ``moved`` by each delta."""
    movements = []
    with np.errstate(invalid="ignore", over="ignore"):
        for delta, results in moved.items():
            movements.append(np.max([np.abs(result - truth) for result in results], axis=0) / delta)
    return max(magnitude(truth), magnitude(np.min(movements, axis=0)))


def terms(size: int, products: int, largest: int) -> int:
    """Return n, the number of terms behind each of ``size`` elements."""
    return max(1, min(math.ceil(products / max(size, 1)), largest))


class Budget:
    """The largest error that rounding explains, computed only as far as it is needed.

    Parameters
    ----------
    least : float or numpy.ndarray
        What is allowed in any case.
    derive : callable, optional
        Returns the whole allowance, not less than ``least``; by default ``least`` is the whole.
    """

    def __init__(self, least: float | np.ndarray, derive: Callable[[], float] | None = None) -> None:
        self.least, self._derive = least, derive

    @functools.cached_property
    def allowed(self) -> float | np.ndarray:
        """The largest error that rounding explains."""
        return self.least if self._derive is None else self._derive()

    def exceeded(self, error: np.ndarray) -> np.ndarray:
        """Return where an error is larger than rounding explains."""
        beyond = error > self.least
        return error > self.allowed if beyond.any() else beyond


NOTHING = Budget(0.0)


def allowance(dtype: np.dtype, scale: float, n: int, torch_error: float | None = None) -> float:
    """Return the largest error that rounding explains: see the module's docstring."""
    underflow = FACTOR * math.sqrt(n) * float(np.finfo(dtype).smallest_subnormal)
    if dtype == np.float64:
        return FLOAT64_RELATIVE * scale + underflow
    return FACTOR * (torch_error + math.sqrt(n) * unit_roundoff(dtype) * scale) + underflow


class Movements:
    """Results of a computation on numbers that are moved a little, computed when first needed.

    Parameters
    ----------
    run : callable
        ``run(delta, draw)`` returns the results by name, in float64, with a random half of the numbers that go in moved
        towards zero by the relative ``delta``.
    """

    def __init__(self, run: Callable[[float, int], dict[str, np.ndarray]]) -> None:
        self._run = run

    @functools.cached_property
    def _moved(self) -> dict[float, list[dict[str, np.ndarray]]]:
        return {delta: [self._run(delta, draw) for draw in range(2)] for delta in DELTAS}

    def scale(self, name: str, truth: np.ndarray) -> float:
        """Return max(M, S) of the result called ``name``."""
        return scale(truth, {delta: [results[name] for results in runs] for delta, runs in self._moved.items()})


def derived(
    dtype: np.dtype, truth: np.ndarray, torch_error: float | None, scale_and_n: Callable[[], tuple[float, int]]
) -> Budget:
    """Return the budget of a quantity from its exact values and, once they are needed, its scale and terms."""
    least = allowance(dtype, magnitude(truth), 1, torch_error)
    return Budget(least, lambda: allowance(dtype, *scale_and_n(), torch_error))
