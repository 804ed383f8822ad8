"""Move arrays a little, to see what changes."""

import numpy as np

from parity_tests.harness.arrays import array


def nudged(values: np.ndarray) -> np.ndarray:
    """Return numbers a little beside these; integers move by a quarter, which an index does not survive."""
    if values.dtype.kind in "iu":
        return values + 0.25
    return values + 1e-3 * drawn(values, seed=5) * (1 + np.abs(values))


def drawn(values: np.ndarray, seed: int) -> np.ndarray:
    """Return random numbers of an array's shape, complex ones for a complex array."""
    real = array(values.shape, "float64", seed=seed)
    return real + 1j * array(values.shape, "float64", seed=seed + 1000) if values.dtype.kind == "c" else real


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Return whether two lists hold the same arrays."""
    return len(one) == len(other) and all(map(same, one, other))


def same(one: object, other: object) -> bool:
    """Return whether two arrays, or lists of numbers, hold the same numbers; NaN is the same as NaN."""
    one, other = np.asarray(one), np.asarray(other)
    # Each forward asks; bytes are compared three times as fast as numbers, and they are the same almost always.
    as_bytes = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return as_bytes or np.array_equal(one, other, equal_nan=True)
