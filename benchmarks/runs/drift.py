"""How long two engines that share nothing but a seed stay together, step by step.

With the same weights, the same batches and the same masks, the two compute the same sums in different orders, and each
order rounds differently. The first difference is a few units in the last place, often already in the first step's loss.
Every step feeds it back into the weights, and what becomes of it there depends on the task: with a small network on two
moons it stays at a few units in the last place for hundreds of steps; with a convolutional network on images it grows
by orders of magnitude, until it is as large as the noise between two seeds or the run ends. float64 starts from
differences 2^29 times smaller and has that much further to go.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Drift:
    """The differences between two runs' losses.

    Attributes
    ----------
    relative : numpy.ndarray, shape (steps,)
        |a - b| / |b| of each step's loss; 0 where they are the same to the last bit, and where both are NaN.
    first : int or None
        The first step, counted from 1, whose losses are not the same to the last bit; None if there is none.
    largest : float
        The largest relative difference.
    largest_step : int
        The step where it is.
    """

    relative: np.ndarray
    first: int | None
    largest: float
    largest_step: int

    def words(self) -> str:
        """Say in which step the losses first differed; in a later one they may be the same again."""
        return (
            "the same to the last bit in every step" if self.first is None else f"first differing in step {self.first}"
        )


def between(one: list[float], other: list[float]) -> Drift:
    """Compare the losses of two runs, step by step.

    Raises
    ------
    ValueError
        If the runs took different numbers of steps, or none.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"drift: expected two runs of as many steps, got {len(one)} and {len(other)}")
    a, b = np.array(one), np.array(other)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(same, 0.0, np.abs(a - b) / np.abs(b))
    # A loss that is NaN or infinite in only one run is infinitely far away.
    relative[~np.isfinite(relative)] = np.inf
    differing = np.flatnonzero(~same)
    largest = int(relative.argmax())
    return Drift(relative, int(differing[0]) + 1 if differing.size else None, float(relative[largest]), largest + 1)
