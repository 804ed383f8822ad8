"""The keys of a dictionary of parameters: forward is run with a stand-in, which notes what it is asked for.

Its values stand for arrays in any computation. So keys are seen wherever they are read: by brackets, by ``get``, in a
loop over the layers, in a function that forward calls.
"""

import contextlib
from collections.abc import Callable, Iterator

from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage

LENGTHS = (6, 3)
"""Of the dictionary, where forward asks for it: that of three layers, with biases and without."""
OPERATIONS = "add sub mul matmul truediv floordiv mod pow and or xor".split()  # noqa: SIM905
OTHERS = "neg pos abs invert lt le gt ge eq ne getitem call array_ufunc array_function".split()  # noqa: SIM905


class _Anything:
    """An array of any shape: whatever is computed with it is one, too."""

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> "_Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __iter__(self) -> Iterator["_Anything"]:
        return iter((self, self))  # its shape is that of a matrix

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __bool__(self) -> bool:
        return True

    def __index__(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0


def _itself(anything: _Anything, *_: object, **__: object) -> _Anything:
    return anything


for _name in [*(f"{kind}{name}" for kind in ("", "r", "i") for name in OPERATIONS), *OTHERS]:
    setattr(_Anything, f"__{_name}__", _itself)


class _Asked(dict):
    """An empty dictionary that has every key, and notes which it was asked for."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length, self.gave_length, self.noted = length, False, {}

    def __missing__(self, key: object) -> _Anything:
        self.noted[key] = None
        return _Anything()

    def get(self, key: object, default: object = None) -> _Anything:
        """Return what stands for an array."""
        return self[key]

    def __len__(self) -> int:
        self.gave_length = True
        return self.length


def keys(run: Callable[[dict], object], stage: Stage) -> Iterator[list[str]]:
    """Yield the keys of which ``run``, a function of a dictionary, reads the values; of several lengths, if it asks."""
    for length in LENGTHS:
        asked = _Asked(length)
        # What it prints would be about stand-ins.
        with contextlib.suppress(LearnerRaisedError), Stage(stage.seed, stage.dtype, shows=0)("forward"):
            run(asked)
        names = [key for key in asked.noted if isinstance(key, str)]
        if names and (not asked.gave_length or len(names) == length):
            yield names
        if not asked.gave_length:
            return
