"""Where somebody's object keeps its numbers: every array that can be reached from it, with the path to it.

An array in an attribute, in a slot, in a dictionary or a list, in an object inside, in a function's closure or among
the file's own globals has a `Place`. A `World` remembers all of it, to restore it later.
"""

import contextlib
import copy
import random
import types
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.reading import generators

MOST = 1_000_000
"""The most elements of an array that is looked at; a data set has more."""
OPAQUE = (types.ModuleType, type, types.BuiltinFunctionType, str, bytes, bool, int, complex, np.dtype, type(None))


@dataclass(frozen=True)
class Place:
    """A path from one of the roots: steps of a kind ("attr", "item", "cell", "tuple") and a key."""

    root: int
    steps: tuple[tuple[str, object], ...]

    @property
    def name(self) -> str:
        """The keys joined with dots: "layers.0.W"."""
        return ".".join(str(key) for _, key in self.steps)

    @property
    def last(self) -> str:
        """The last key that is a name: "W" of ``params["W"]``, and of ``W.data``."""
        names = [str(key) for _, key in self.steps if isinstance(key, str)]
        if len(names) > 1 and names[-1] in ("data", "value", "val", "values", "array", "grad", "gradient", "g"):
            return names[-2]
        return names[-1] if names else ""

    def words(self, prefix: str = "self") -> str:
        """Return it as the code writes it: ``self.layers[0].params["W"]``."""
        said = prefix
        for kind, key in self.steps:
            if kind == "attr":
                said += f".{key}" if said else str(key)
            elif kind == "cell":
                said += str(key)
            else:
                said += f"[{key!r}]".replace("'", '"')
        return said


class World:
    """Everything that can be reached from the roots, with a start that can be restored."""

    def __init__(self, roots: list[object], prefixes: list[str]) -> None:
        self.roots, self.prefixes = roots, prefixes
        self.start: list[dict] = []
        self.draws: list[tuple[object, object]] = []
        self.snapshot()

    def words(self, place: Place) -> str:
        """Return a place as the code writes it."""
        return place.words(self.prefixes[place.root])

    def snapshot(self) -> None:
        """Remember the present state as the start."""
        self.start = self._copies([_contents(root) for root in self.roots])
        self.draws = generators.states(generators.generators(self.roots))

    def restore(self) -> None:
        """Put everything back to the start, apart from what other files hold."""
        for root, contents in zip(self.roots, self._copies(self.start), strict=True):
            _fill(root, contents)
        generators.put_back(self.draws)  # those that are not copied: of a class, of another module

    @contextlib.contextmanager
    def starting_here(self) -> Iterator[None]:
        """Take the present state as the start, for a while."""
        before = self.start, self.draws
        self.snapshot()
        try:
            yield
        finally:
            self.start, self.draws = before

    def _copies(self, contents: list[dict]) -> list[dict]:
        memo = {id(root): root for root in self.roots}
        return [{key: _copy(value, memo) for key, value in one.items()} for one in contents]

    def get(self, place: Place) -> object:
        """Return what is at a place now; None if the path no longer exists."""
        value = self.roots[place.root]
        for step in place.steps:
            try:
                value = _follow(value, step)
            except (AttributeError, KeyError, IndexError, TypeError, ValueError):
                return None
        return value

    def put(self, place: Place, value: object) -> None:
        """Put ``value`` at a place."""
        self._put(self.roots[place.root], place.steps, value)

    def _put(self, holder: object, steps: tuple, value: object) -> object:
        (kind, key), rest = steps[0], steps[1:]
        if rest:
            value = self._put(_follow(holder, steps[0]), rest, value)
        if kind == "attr":
            if not rest or _follow(holder, steps[0]) is not value:
                setattr(holder, key, value)
        elif kind == "cell":
            _cells(holder)[key].cell_contents = value
        elif kind == "tuple":
            parts = (*holder[:key], value, *holder[key + 1 :])
            return holder._make(parts) if hasattr(holder, "_make") else type(holder)(parts)
        else:
            holder[key] = value
        return holder

    def places(self, aliases: bool = False) -> Iterator[tuple[Place, np.ndarray]]:
        """Yield each array (or list of numbers) that can be reached: with its first place, or with all of them."""
        seen: set[int] = {id(root) for root in self.roots}
        for number, root in enumerate(self.roots):
            for step, value in _children(root, top=True):
                yield from self._walk(number, (step,), value, seen, aliases)

    def _walk(
        self, root: int, steps: tuple, value: object, seen: set[int], aliases: bool
    ) -> Iterator[tuple[Place, np.ndarray]]:
        if isinstance(value, OPAQUE) or len(steps) > 8:
            return
        if isinstance(value, np.ndarray | float | np.floating):
            if isinstance(value, np.ndarray):
                if (id(value) in seen and not aliases) or value.size > MOST or value.dtype.kind not in "fiub":
                    return
                seen.add(id(value))
            yield Place(root, steps), np.asarray(value)
            return
        if id(value) in seen:
            return
        seen.add(id(value))
        if (numbers := _numbers(value)) is not None:
            yield Place(root, steps), numbers
            return
        for step, child in _children(value):
            yield from self._walk(root, (*steps, step), child, seen, aliases)


def _numbers(value: object) -> np.ndarray | None:
    # A list of numbers with a fraction among them stands for an array; one of whole numbers may be sizes.
    if not isinstance(value, list) or not value or not isinstance(value[0], list | float):
        return None
    try:
        array = np.array(value)
    except ValueError:
        return None
    return array if array.dtype.kind == "f" and array.ndim and not _holds_arrays(value) else None


def _holds_arrays(value: list) -> bool:
    return any(isinstance(v, np.ndarray) or (isinstance(v, list) and _holds_arrays(v)) for v in value)


def _contents(root: object) -> dict:
    if isinstance(root, types.ModuleType):
        return {name: value for name, value in vars(root).items() if not name.startswith("__") and _is_data(value)}
    if isinstance(root, types.FunctionType):
        return {
            key: cell.cell_contents
            for key, cell in _cells(root).items()
            if _filled(cell) and _is_data(cell.cell_contents)
        }
    return _attributes(root)


def _is_data(value: object) -> bool:
    if isinstance(value, np.ndarray | list | dict | tuple | float | int):
        return True
    if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
        return True
    if isinstance(value, OPAQUE) or type(value).__module__.split(".")[0] in ("numpy", "torch", "builtins"):
        return False
    return hasattr(value, "__dict__") and not isinstance(value, types.FunctionType)


def _attributes(value: object) -> dict:
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _fill(root: object, contents: dict) -> None:
    if isinstance(root, types.FunctionType):
        for key, value in contents.items():
            _cells(root)[key].cell_contents = value
        return
    if not isinstance(root, types.ModuleType):
        for name in set(_attributes(root)) - set(contents):
            delattr(root, name)
    for name, value in contents.items():
        object.__setattr__(root, name, value) if not isinstance(root, types.ModuleType) else setattr(root, name, value)


def _copy(value: object, memo: dict) -> object:
    if isinstance(value, np.ndarray) and value.size > MOST:
        return value
    try:
        return copy.deepcopy(value, memo)
    except Exception:
        return value  # a file, a lock, a module: shared, as it cannot be copied


def _children(value: object, top: bool = False) -> Iterator[tuple[tuple[str, object], object]]:
    if isinstance(value, types.ModuleType):
        for name, child in list(vars(value).items()) if top else ():
            if not name.startswith("__") and _is_data(child):
                yield ("attr", name), child
    elif isinstance(value, types.FunctionType | types.MethodType):
        function = value if isinstance(value, types.FunctionType) else value.__func__
        for name, cell in _cells(function).items():
            if _filled(cell) and _is_data(cell.cell_contents):
                yield ("cell", name), cell.cell_contents
    elif isinstance(value, dict):
        for key, child in list(value.items()):
            yield ("item", key), child
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield ("item", index), child
    elif isinstance(value, tuple):
        for index, child in enumerate(value):
            yield ("tuple", index), child
    elif type(value).__module__.split(".")[0] not in ("numpy", "torch", "random", "builtins", "collections.abc"):
        for name, child in list(_attributes(value).items()):
            yield ("attr", name), child
        for cls in type(value).__mro__[:-1]:
            for name, child in vars(cls).items():
                if isinstance(child, np.ndarray) and name not in _attributes(value):
                    yield ("attr", name), child


def _cells(function: types.FunctionType) -> dict[str, types.CellType]:
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def _follow(value: object, step: tuple[str, object]) -> object:
    kind, key = step
    if kind == "attr":
        return getattr(value, key)
    if kind == "cell":
        function = value if isinstance(value, types.FunctionType) else value.__func__
        return _cells(function)[key].cell_contents
    return value[key]
