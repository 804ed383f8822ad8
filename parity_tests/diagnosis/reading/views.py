"""An array as PyTorch has it: transposed, without an axis of length 1, or with its axes in another order."""

import itertools
from typing import NamedTuple

import numpy as np


class View(NamedTuple):
    """How the learner's array becomes PyTorch's: its axes permuted, then reshaped to ``shape``."""

    axes: tuple[int, ...] | None
    shape: tuple[int, ...]
    words: str

    def there(self, values: np.ndarray) -> np.ndarray:
        """Return the learner's array as PyTorch has it."""
        values = np.asarray(values)
        return (values if self.axes is None else values.transpose(self.axes)).reshape(self.shape)

    def back(self, values: np.ndarray, own: tuple[int, ...]) -> np.ndarray:
        """Return PyTorch's array in the learner's shape ``own``."""
        if self.axes is None:
            return np.array(values).reshape(own)
        permuted = tuple(own[axis] for axis in self.axes)
        return np.array(np.asarray(values).reshape(permuted).transpose(np.argsort(self.axes)))


def same(shape: tuple[int, ...]) -> View:
    """Return the view that changes nothing."""
    return View(None, tuple(shape), "")


def views(own: tuple[int, ...], theirs: tuple[int, ...]) -> list[View]:
    """Return the ways to view an array of shape ``own`` as PyTorch's of shape ``theirs``, the likeliest first."""
    found = []
    if own == theirs:
        found.append(same(own))
    elif sorted(n for n in own if n != 1) == sorted(n for n in theirs if n != 1) and (
        [n for n in own if n != 1] == [n for n in theirs if n != 1]
    ):
        found.append(View(None, theirs, f"of shape {own}"))
    if 2 <= len(own) == len(theirs) <= 5:
        orders = [tuple(reversed(range(len(own)))), *itertools.permutations(range(len(own)))]
        for order in dict.fromkeys(orders):
            if order != tuple(range(len(own))) and tuple(own[axis] for axis in order) == theirs:
                found.append(View(order, theirs, "transposed" if len(own) == 2 else f"its axes in the order {order}"))
    return found
