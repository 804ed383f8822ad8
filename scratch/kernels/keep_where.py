"""Keep some elements of an array and put zero for the others: the gradient of everything that has two branches.

``np.where(keep, array, 0)`` says the same and decides element by element; where the signs of activations are random,
the processor guesses every second one of these decisions wrong, and pays for it. Multiplying by a mask decides
nothing, but turns a gradient of infinity, or NaN, on the closed branch into NaN. Here the bits of a number are read as
an integer, whatever number they stand for, and multiplied by the mask's 1 or 0: no decision, and no arithmetic on NaN.
"""

import numpy as np

from scratch.kernels import memory

_INTEGER_OF_SIZE = {4: np.int32, 8: np.int64}


def keep_where(keep: np.ndarray, array: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return ``array`` where ``keep`` is True, and +0 elsewhere.

    Parameters
    ----------
    keep : numpy.ndarray of bool
        Of the shape of ``array``.
    array : numpy.ndarray
        float32 or float64, any shape and memory layout.
    out : numpy.ndarray, optional
        Where to write; a new array by default.

    Examples
    --------
    >>> keep_where(np.array([True, False, False]), np.array([1.0, np.inf, 2.0]))
    array([1., 0., 0.])
    """
    integer = _INTEGER_OF_SIZE[array.itemsize]
    kept = memory.empty_like(array) if out is None else out
    # NumPy widens the bytes by way of a buffer in the first-level cache: one pass through memory less.
    np.bitwise_and(array.view(integer), np.negative(keep.view(np.int8)), out=kept.view(integer))
    return kept
