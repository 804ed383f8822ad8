"""Batches of another size, made of the examples that there are."""

import numpy as np

MORE = 3
"""How many examples are added."""


def longer(x: np.ndarray, count: int, axis: int, by: int = MORE) -> np.ndarray:
    """Return an input with more examples: the first ones again, mixed with those behind them so that no two are alike.

    What has another length along the axis is no batch, and stays. Whole numbers, zeros and ones stay what they are.
    """
    if x.ndim <= axis or x.shape[axis] != count:
        return x
    more, behind = (np.take(x, np.arange(start, start + by) % count, axis) for start in (0, 1))
    if x.dtype.kind == "f" and not set(np.unique(x)) <= {0.0, 1.0}:
        more = more * x.dtype.type(0.75) + behind * x.dtype.type(0.25)
    return np.concatenate([x, more], axis)
