"""What forward returns beside its outputs, and which argument of backward gets what of it."""

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.nested import leaves, like
from parity_tests.diagnosis.reading.outputs import Split, Values
from parity_tests.harness.arrays import array


class Kept:
    """The values that forward keeps for backward.

    Parameters
    ----------
    made : Values, or None
        What forward returned; None for a single array.
    split : Split
        Which of it are outputs.
    arguments : list of str
        Backward's arguments.
    unknown : list of str
        Those of them that are required and get neither an upstream gradient nor an argument of forward.
    shaken : int or None
        A value that is replaced by other numbers, to find out whether backward uses it.
    apart : frozenset of str
        The arguments that backward takes apart.
    """

    def __init__(
        self,
        made: Values | None,
        split: Split,
        arguments: list[str],
        unknown: list[str],
        shaken: int | None,
        apart: frozenset[str],
    ) -> None:
        self.made, self.split, self.shaken, self._apart = made, split, shaken, apart
        self.handed: set[int] = set()
        names = made.names if made is not None else []
        values = [i for i in range(len(made.values)) if i not in split.outputs] if made is not None else []
        self.count = len(values)
        self._open = [i for i in values if not names[i] or names[i] not in arguments]
        self._of = {name: i for i, name in enumerate(names) if name in arguments}
        self._of |= self._assigned([name for name in unknown if name not in self._of])

    def has(self, name: str, optional: bool) -> bool:
        """Return whether forward returns a value under this name; an output is only meant if it is required."""
        return self.made is not None and name in self.made.names and (not optional or not self._is_output(name))

    def assigns(self, name: str) -> bool:
        """Return whether an argument gets a value of its own, by its name or by its place."""
        return name in self._of

    def value(self, name: str) -> object:
        """Return what an argument gets: what has its name, else its share of the rest, else all of the rest."""
        if name in self._of:
            return self._handed(self._of[name])
        return tuple(self._handed(i) for i in self._open)

    def _is_output(self, name: str) -> bool:
        return self.made.names.index(name) in self.split.outputs

    def _assigned(self, unknown: list[str]) -> dict[str, int]:
        # One value for each argument, in order; or a cache beside arrays that are not kept, by name or as the last.
        if len(unknown) == len(self._open):
            return dict(zip(unknown, self._open, strict=True))
        caches = [name for name in unknown if words.CACHES.search(name)]
        cache = next(iter(caches or (name for name in unknown if name in self._apart)), "")
        if not cache or not self._open:
            return {}
        last = [i for i in self._open[-1:] if not isinstance(self.made.values[i], np.ndarray | float)]
        named = [i for i in self._open if words.CACHES.search(self.made.names[i])]
        return dict(zip([cache], named or last, strict=False))

    def _handed(self, index: int) -> object:
        value = self.made.values[index]
        within = {i for i, one in enumerate(self.made.values) if any(one is held for held in _held(value).values())}
        self.handed |= {index, *within}
        if index == self.shaken:
            return self._shaken()
        return self._shaken_within(value) if self.shaken in within else value

    def _shaken(self) -> object:
        value = self.made.values[self.shaken]
        return like(value, (array(np.shape(leaf), "float64", seed=17 + i) for i, leaf in enumerate(leaves(value))))

    def _shaken_within(self, cache: dict | tuple | list) -> dict | tuple | list:
        usual, shaken = self.made.values[self.shaken], self._shaken()
        found = {key: shaken if one is usual else one for key, one in _held(cache).items()}
        if isinstance(cache, dict):
            return found
        return type(cache)(*found.values()) if hasattr(cache, "_fields") else type(cache)(found.values())


def _held(value: object) -> dict:
    """Return what a cache holds, by key; nothing of an array."""
    if isinstance(value, tuple | list):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else {}
