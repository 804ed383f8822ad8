"""The random generators that somebody's code keeps: found wherever they lie, and put back, so that draws repeat.

Dropout keeps ``self.rng = np.random.default_rng(42)``, or draws from a generator among the file's globals. A forward
that is repeated, for finite differences or for a second backward, has to make the same draws again.
"""

import os
import random
import sys
import types
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading import holders
from parity_tests.diagnosis.reading.running import is_theirs

KINDS = (np.random.Generator, np.random.RandomState, random.Random)
PLAIN = (str, bytes, bool, int, float, complex, np.ndarray, np.generic, np.dtype, types.BuiltinFunctionType, type(None))
DEEP = 8
INSTALLED = (os.path.dirname(os.__file__), sys.prefix)


def generators(roots: list[object]) -> list[object]:
    """Return every generator that can be reached: in attributes, containers, classes, closures, defaults, globals."""
    found: list[object] = []
    seen: set[int] = set()
    for root in roots:
        _walk(root, found, seen, 0)
    return found


def states(found: list[object]) -> list[tuple[object, object]]:
    """Return generators with their present states."""
    return [(one, _state(one)) for one in found]


def put_back(held: list[tuple[object, object]]) -> None:
    """Give generators the states that they had."""
    for one, state in held:
        if isinstance(one, np.random.Generator):
            one.bit_generator.state = state
        elif isinstance(one, np.random.RandomState):
            one.set_state(state)
        else:
            one.setstate(state)


def reseed(found: list[object], seed: int) -> None:
    """Seed generators anew."""
    for one in found:
        if isinstance(one, np.random.Generator):
            one.bit_generator.state = type(one.bit_generator)(seed).state
        else:
            one.seed(seed)


def _state(one: object) -> object:
    if isinstance(one, np.random.Generator):
        return one.bit_generator.state
    return one.get_state(legacy=False) if isinstance(one, np.random.RandomState) else one.getstate()


def _walk(value: object, found: list[object], seen: set[int], depth: int) -> None:
    if isinstance(value, PLAIN) or id(value) in seen or depth > DEEP:
        return
    seen.add(id(value))
    if isinstance(value, KINDS):
        found.append(value)
        return
    for child in _inside(value):
        _walk(child, found, seen, depth + 1)


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from list(value.values())
    elif isinstance(value, list | tuple | set):
        yield from list(value)
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, types.FunctionType):
        yield from (value.__defaults__, value.__kwdefaults__)
        yield from [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
    elif _is_own(value):
        yield from [child for name, child in list(vars(value).items()) if not name.startswith("__")]
        yield sys.modules.get(value.__module__) if isinstance(value, type) else None
    elif not isinstance(value, type | types.ModuleType) and _is_own(type(value)):
        yield from holders.attributes(value).values()
        yield from type(value).__mro__


def _is_own(value: object) -> bool:
    # A class or a module of the learner's, also one that the file imports from beside it.
    module = sys.modules.get(value.__module__) if isinstance(value, type) else value
    file = getattr(module, "__file__", None) if isinstance(module, types.ModuleType) else None
    if file is None:
        return isinstance(module, types.ModuleType) and module.__name__ == "__main__"
    return is_theirs(file) and not file.startswith(INSTALLED)


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
