"""New arrays on the tape: a forward may fill ``np.zeros(...)`` element by element, and make an array of a list.

NumPy asks the tape only where an argument is on it already. So the learner's files get a NumPy that asks first.
"""

import contextlib
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

from scratch.tape import Tape, Value

MAKING = (np.zeros, np.ones, np.empty, np.full, np.zeros_like, np.ones_like, np.empty_like, np.full_like)
CONVERTING = (np.array, np.asarray, np.ascontiguousarray)


@contextlib.contextmanager
def on_tape(tape: Tape, files: list[types.ModuleType]) -> Iterator[None]:
    """Put new arrays of floating-point numbers on the tape where code of these files makes them."""
    instead: dict[Any, Any] = {making: functools.partial(_made, tape, making) for making in MAKING}
    instead |= {converting: functools.partial(_converted, converting) for converting in CONVERTING}
    instead[np] = _NumPy({function.__name__: other for function, other in instead.items()})
    with contextlib.ExitStack() as patched:
        for file in files:
            held = {name: one for name, one in vars(file).items() if isinstance(one, Callable | types.ModuleType)}
            found = {name: instead[one] for name, one in held.items() if any(one is known for known in instead)}
            patched.enter_context(mock.patch.multiple(file, **found) if found else contextlib.nullcontext())
        yield


class _NumPy:
    def __init__(self, instead: dict[str, Callable]) -> None:
        self.__dict__ |= instead

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _made(tape: Tape, making: Callable, *arguments: Any, **options: Any) -> Any:
    made = making(*arguments, **options)
    return tape.watch(made) if isinstance(made, np.ndarray) and made.dtype.kind == "f" else made


def _converted(converting: Callable, values: Any, *arguments: Any, **options: Any) -> Any:
    return _joined(values) if _has_value(values) else converting(values, *arguments, **options)


def _has_value(values: Any) -> bool:
    return isinstance(values, Value) or (isinstance(values, list | tuple) and any(map(_has_value, values)))


def _joined(values: Any) -> Any:
    return np.stack([_joined(one) for one in values]) if isinstance(values, list | tuple) else np.copy(values)
