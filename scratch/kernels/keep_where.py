"""Keep some elements of an array and set the others to zero: the gradient of everything that has two branches.

``np.where(keep, array, 0)`` does the same with a branch for each element; if the signs of activations are random, the
processor mispredicts every second one, and pays for it. Multiplying by a mask takes no branch, but turns a gradient of
infinity, or NaN, on the closed branch into NaN. Here the bits of a number are read as an integer, whatever number they
stand for, and multiplied by the mask's 1 or 0: no branch, and no arithmetic on NaN. A processor multiplies 64-bit
integers one at a time, so for float64 the mask becomes -1 or 0, all bits or none, for a bitwise "and".
"""

import numpy as np

from scratch.kernels import memory


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
    kept = memory.empty_like(array) if out is None else out
    # NumPy widens the mask in a buffer in the first-level cache, which saves a pass through memory.
    if array.itemsize == 4:
        np.multiply(array.view(np.int32), keep, out=kept.view(np.int32))
    else:
        np.bitwise_and(array.view(np.int64), np.negative(keep.view(np.int8)), out=kept.view(np.int64))
    return kept
