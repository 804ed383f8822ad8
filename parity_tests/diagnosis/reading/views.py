"""An array as it is compared: transposed, without an axis of length 1, its axes in another order, or in real parts."""

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


class Parts(View):
    """How a complex array becomes a real one, with the real and the imaginary part on a last axis.

    Its gradient is compared in PyTorch's convention, dL/dRe + i dL/dIm: each part is the derivative with respect to the
    same part of the array.
    """

    def there(self, values: np.ndarray) -> np.ndarray:
        """Return the two parts; a real gradient has no imaginary part."""
        values = np.asarray(values)
        return np.stack([values.real, values.imag], axis=-1)

    def back(self, values: np.ndarray, own: tuple[int, ...]) -> np.ndarray:
        """Return the complex array."""
        return (values[..., 0] + 1j * values[..., 1]).reshape(own)


def parts(shape: tuple[int, ...]) -> Parts:
    """Return the view of a complex array of a shape."""
    said = (
        f"complex, compared as real and imaginary parts, of shape {(*shape, 2)}: dL/dRe + i dL/dIm, as PyTorch has it"
    )
    return Parts(None, (*shape, 2), said)


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
