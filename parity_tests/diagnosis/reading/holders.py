"""What an object, a class, a function's closure or a module holds: to list it, to follow a path, and to put it back.

A step of a path is a kind and a key: "attr", "private" (an attribute whose name Python mangled: ``__W`` of a class
``Linear`` is kept as ``_Linear__W``), "item", "cell" or "tuple".
"""

import enum
import random
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity_tests.diagnosis.reading.running import ROOT
from scratch.nn.layer import Layer
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter

OPAQUE = (types.ModuleType, type, types.BuiltinFunctionType, str, bytes, bool, int, complex, np.dtype, type(None))
Step = tuple[str, object]
ENGINES_OWN = frozenset(name for name in vars(Layer()) if name.startswith("_"))
"""Attributes of modules of `scratch` that its own code keeps, also in a learner's subclass."""


def children(value: object, top: bool = False) -> Iterator[tuple[Step, object]]:
    """Yield what ``value`` holds, each with the step to it; of a module only at the ``top``."""
    if isinstance(value, types.ModuleType):
        for name, child in contents(value).items() if top else ():
            yield ("attr", name), child
    elif isinstance(value, type):
        for name, child in contents(value).items() if top else ():
            yield _attribute_step(name, (value,)), child
    elif isinstance(value, types.FunctionType | types.MethodType):
        for name, child in contents(getattr(value, "__func__", value)).items():
            yield ("cell", name), child
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
        held = attributes(value)
        if isinstance(value, Module | Parameter):
            held = {name: child for name, child in held.items() if not _is_the_engines(name, type(value))}
        for cls in type(value).__mro__:
            if is_theirs(cls):
                held = contents(cls) | held
        for name, child in held.items():
            yield _attribute_step(name, type(value).__mro__), child


def _is_the_engines(name: str, cls: type) -> bool:
    # What a forward saved, and the gradient once more: it comes and goes with the passes, and is no number of a layer.
    return name in ENGINES_OWN or (name.startswith("_") and cls.__module__.startswith("scratch."))


def _attribute_step(name: str, classes: tuple[type, ...]) -> Step:
    mangled = any(name.startswith(f"_{cls.__name__.lstrip('_')}__") for cls in classes)
    return ("private" if mangled else "attr"), name


def contents(root: object) -> dict:
    """Return the data that a root of the search holds by itself."""
    if isinstance(root, types.ModuleType | type):
        return {name: value for name, value in vars(root).items() if not name.startswith("__") and is_data(value)}
    if isinstance(root, types.FunctionType):
        held = {key: cell.cell_contents for key, cell in cells(root).items() if _filled(cell)}
        return {key: value for key, value in held.items() if is_data(value)}
    return attributes(root)


def fill(root: object, held: dict) -> None:
    """Put back what `contents` returned, and remove what is new."""
    if isinstance(root, types.FunctionType):
        for key, value in held.items():
            cells(root)[key].cell_contents = value
        return
    if isinstance(root, types.ModuleType):
        for name, value in held.items():
            setattr(root, name, value)
        return
    put, remove = (type.__setattr__, type.__delattr__) if isinstance(root, type) else (object.__setattr__, delattr)
    for name in set(contents(root)) - set(held):
        remove(root, name)
    for name, value in held.items():
        put(root, name, value)


def is_data(value: object) -> bool:
    """Return whether a value of a module, a class or a closure may hold numbers."""
    if isinstance(value, np.ndarray | list | dict | tuple | float | int):
        return True
    if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
        return True
    if isinstance(value, OPAQUE) or type(value).__module__.split(".")[0] in ("numpy", "torch", "builtins"):
        return False
    return hasattr(value, "__dict__") and not isinstance(value, types.FunctionType)


def is_theirs(cls: type) -> bool:
    """Return whether a class is the learner's, whose attributes may be data: not Python's, NumPy's, PyTorch's, ours."""
    if cls.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or "site-packages" in file or issubclass(cls, enum.Enum):
        return False
    return not file.startswith((str(Path(enum.__file__).parent), str(ROOT / "scratch")))


def attributes(value: object) -> dict:
    """Return an object's own attributes, those in slots among them."""
    found = dict(getattr(value, "__dict__", {}))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def cells(function: types.FunctionType | types.MethodType) -> dict[str, types.CellType]:
    """Return a function's closure by name."""
    function = getattr(function, "__func__", function)
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def follow(value: object, step: Step) -> object:
    """Return what is one step from ``value``."""
    kind, key = step
    if kind in ("attr", "private"):
        return getattr(value, key)
    if kind == "cell":
        return cells(value)[key].cell_contents
    return value[key]


def put(holder: object, steps: tuple[Step, ...], value: object) -> object:
    """Put ``value`` at the end of a path from ``holder``; return the holder, a new one if it is a tuple."""
    (kind, key), rest = steps[0], steps[1:]
    if rest:
        value = put(follow(holder, steps[0]), rest, value)
    if kind in ("attr", "private"):
        if not rest or follow(holder, steps[0]) is not value:
            setattr(holder, key, value)
    elif kind == "cell":
        cells(holder)[key].cell_contents = value
    elif kind == "tuple":
        parts = (*holder[:key], value, *holder[key + 1 :])
        return holder._make(parts) if hasattr(holder, "_make") else type(holder)(parts)
    else:
        holder[key] = value
    return holder
