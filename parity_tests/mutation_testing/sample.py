"""Draw mutants at random, and say how far their result can be trusted."""

import math
import random
from collections.abc import Sequence
from typing import TypeVar

Drawn = TypeVar("Drawn")


def draw(path: str, made: Sequence[Drawn], count: int | None, seed: int) -> list[Drawn]:
    """Return ``count`` of a file's mutants, drawn without replacement; all of them, in order, if there are no more.

    The same file and seed draw the same mutants, and a larger count only adds to them.
    """
    if count is None or count >= len(made):
        return list(made)
    shuffled = list(made)
    random.Random(f"{seed} {path}").shuffle(shuffled)
    return shuffled[:count]


def wilson(killed: int, drawn: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval of a rate, at 95% with the default z: even if all are killed, it starts below 1.

    With the rate p = k/n, its middle is (p + z^2/(2n)) / (1 + z^2/n), and its half width
    z sqrt(p (1 - p)/n + z^2/(4 n^2)) / (1 + z^2/n).
    """
    rate, shrunk = killed / drawn, 1 + z**2 / drawn
    middle = (rate + z**2 / (2 * drawn)) / shrunk
    half = z * math.sqrt(rate * (1 - rate) / drawn + z**2 / (4 * drawn**2)) / shrunk
    return max(middle - half, 0.0), min(middle + half, 1.0)
