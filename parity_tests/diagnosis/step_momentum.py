"""Momentum in a training step: the second step is along its own gradient and a share of the first one's."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from parity_tests.diagnosis.trained import close


class Moves(NamedTuple):
    """What a parameter moved by in two steps, over the learning rate, and the loss's gradients before each."""

    first: np.ndarray
    gradient: np.ndarray
    second: np.ndarray
    then: np.ndarray

    def without(self, momentum: "Momentum") -> "Moves":
        """Return the moves as they would be without a momentum."""
        second = (self.second - momentum.kept * self.gradient) / momentum.scale
        return self._replace(first=self.first / momentum.scale, second=second)


class Momentum(NamedTuple):
    """A step is ``scale`` times its gradient and ``kept`` times the one before."""

    scale: float
    kept: float
    words: str


LEAST = 1e-3
NONE = Momentum(1.0, 0.0, "")


def of(moves: Iterable[Moves]) -> Momentum:
    """Return the momentum of the first parameter that moves with one, `NONE` if there is none."""
    return next((found for found in map(_of_one, moves) if found is not None), NONE)


def _of_one(one: Moves) -> Momentum | None:
    size = np.vdot(one.gradient, one.gradient).real
    if not size:
        return None
    scale = np.vdot(one.gradient, one.first).real / size
    kept = np.vdot(one.gradient, one.second - scale * one.then).real / size
    usual = {
        "momentum {:.6g}": (kept, Momentum(1.0, kept, "")),
        "momentum {:.6g}, the gradient weighted by the rest": (1 - scale, Momentum(scale, scale * (1 - scale), "")),
        "Nesterov's momentum {:.6g}": (scale - 1, Momentum(scale, (scale - 1) ** 2, "")),
    }
    for words, (share, momentum) in usual.items():
        if LEAST < share < 1 - LEAST:
            plain = one.without(momentum)
            if close(plain.first, one.gradient) and close(plain.second, one.then):
                return momentum._replace(words=words.format(share))
    return None
