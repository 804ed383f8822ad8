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
    return len(one) == len(other) and all(
        a.shape == b.shape and np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)
    )
