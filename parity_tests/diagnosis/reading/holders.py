"""What an object, a class, a function or a module holds: to list it, to follow a path, and to put it back.

A step of a path is a kind and a key: "attr", "private" (an attribute whose name Python mangled: ``__W`` of a class
``Linear`` is kept as ``_Linear__W``), "item", "cell" (what a function holds) or "tuple".
"""

import collections
import enum
import functools
import random
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity_tests.diagnosis.reading import buffers, function_contents
from parity_tests.diagnosis.reading.function_contents import FUNCTIONS
from parity_tests.diagnosis.reading.running import ROOT
from parity_tests.diagnosis.reading.running import is_theirs as is_theirs_by_path
from scratch.nn.layer import Layer
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter

OPAQUE = (types.ModuleType, type, types.BuiltinFunctionType, str, bytes, bool, int, complex, np.dtype, type(None))
SHOWING = ("matplotlib", "mpl_toolkits", "plotly", "PIL", "tqdm", "rich", "logging")
"""Packages that draw and report. A figure has thousands of arrays, of which no layer's output is made."""
Step = tuple[str, object]
ENGINES = (*(str(ROOT / name) for name in ("scratch", "torch_ref", "benchmarks")), str(Path(enum.__file__).parent))
ITEMS = "[...]"
"""Under this name go the items of a root that is a list or a dictionary itself."""
ENGINES_OWN = frozenset(name for name in vars(Layer()) if name.startswith("_"))
"""Attributes of modules of `scratch` that its own code keeps, also in a learner's subclass."""


def children(value: object, top: bool = False) -> Iterator[tuple[Step, object]]:
    """Yield what ``value`` holds, each with the step to it; of a module or a class only at the ``top``."""
    if isinstance(value, types.ModuleType | type):
        mro = (value,) if isinstance(value, type) else ()
        for name, child in (_plain(contents(value)) | functions(value)).items() if top else ():
            yield _attribute_step(name, mro), child
    elif isinstance(value, types.FunctionType):
        for name, child in contents(value).items():
            yield ("cell", name), child
    elif isinstance(value, types.MethodType):
        yield ("attr", "__self__"), value.__self__
        yield from children(value.__func__)
    elif isinstance(value, functools.partial):
        for name in ("func", "args", "keywords"):
            yield ("attr", name), getattr(value, name)
    else:
        yield from _items(value)
        yield from _attributes(value)


def _items(value: object) -> Iterator[tuple[Step, object]]:
    if isinstance(value, dict | types.MappingProxyType):
        for key, child in list(value.items()):
            yield ("item", key), child
    elif isinstance(value, list | tuple | collections.deque):
        for index, child in enumerate(value):
            yield ("tuple" if isinstance(value, tuple) else "item", index), child
    elif isinstance(value, np.ndarray) and value.dtype.kind in "OV":
        for key in value.dtype.names or np.ndindex(value.shape):
            yield ("item", key[0] if len(key) == 1 and value.dtype.kind == "O" else key), value[key]


def _attributes(value: object) -> Iterator[tuple[Step, object]]:
    if buffers.is_torch_module(value):
        yield from ((("attr", name), child) for name, child in buffers.of_torch_module(value).items())
    if type(value).__module__.split(".")[0] in ("numpy", "torch", "random", "builtins"):
        return
    held = attributes(value)
    if buffers.is_torch_module(value):
        held = {name: child for name, child in held.items() if name not in buffers.OF_TORCH_MODULES}
    if isinstance(value, Module | Parameter):
        held = {name: child for name, child in held.items() if not _is_the_engines(name, type(value))}
    for cls in type(value).__mro__:
        if is_theirs(cls):
            held = _plain(contents(cls)) | held
    for name, child in held.items():
        yield _attribute_step(name, type(value).__mro__), child


def _is_the_engines(name: str, cls: type) -> bool:
    # What a forward saved, and the gradient once more: it comes and goes with the passes, and is no number of a layer.
    return name in ENGINES_OWN or (name.startswith("_") and cls.__module__.startswith("scratch."))


def _attribute_step(name: str, classes: tuple[type, ...]) -> Step:
    mangled = any(name.startswith(f"_{cls.__name__.lstrip('_')}__") for cls in classes)
    return ("private" if mangled else "attr"), name


def only_shows(value: object) -> bool:
    """Return whether a value belongs to one of the packages of `SHOWING`."""
    return type(value).__module__.partition(".")[0] in SHOWING


def contents(root: object) -> dict:
    """Return the data that a root of the search holds by itself."""
    if isinstance(root, types.ModuleType | type):
        return {name: value for name, value in vars(root).items() if not name.startswith("__") and is_data(value)}
    if isinstance(root, types.FunctionType):
        held = function_contents.held(root)
        return {name: value for name, value in held.items() if is_data(value) or isinstance(value, FUNCTIONS)}
    if isinstance(root, functools.partial):
        return {"args": root.args, "keywords": root.keywords}
    held = attributes(root)
    return held | {ITEMS: root[:] if isinstance(root, list) else dict(root)} if isinstance(root, list | dict) else held


def _plain(held: dict) -> dict:
    # What is read from a descriptor is another thing: no path leads through it.
    return {name: value for name, value in held.items() if not hasattr(type(value), "__get__")}


def functions(root: types.ModuleType | type) -> dict[str, types.FunctionType]:
    """Return the learner's functions in a module or a class by name: they may hold data, too."""
    found = {name: getattr(value, "__func__", value) for name, value in vars(root).items()}
    return {name: one for name, one in found.items() if isinstance(one, types.FunctionType) and is_theirs(one)}


def fill(root: object, held: dict) -> None:
    """Put back what `contents` returned, and remove what is new."""
    if isinstance(root, types.FunctionType):
        for name, value in held.items():
            function_contents.put(root, name, value)
        return
    if isinstance(root, functools.partial):
        function_contents.put_in_partial(root, **held)
        return
    if isinstance(root, types.ModuleType):
        for name, value in held.items():
            setattr(root, name, value)
        return
    if isinstance(root, list):
        list.__setitem__(root, slice(None), held[ITEMS])
    elif isinstance(root, dict):
        dict.clear(root)
        dict.update(root, held[ITEMS])
    held = {name: value for name, value in held.items() if name != ITEMS}
    put, remove = (type.__setattr__, type.__delattr__) if isinstance(root, type) else (object.__setattr__, delattr)
    for name in set(contents(root)) - {*held, ITEMS}:
        remove(root, name)
    for name, value in held.items():
        put(root, name, value)


def is_data(value: object) -> bool:
    """Return whether a value of a module, a class or a closure may hold numbers."""
    if isinstance(value, types.FunctionType):  # the most of what classes and modules hold
        return False
    if isinstance(value, np.ndarray | list | dict | tuple | float | int):
        return True
    if buffers.holds_numbers(value) or buffers.is_torch_module(value):
        return True
    if isinstance(value, np.random.Generator | np.random.RandomState | random.Random):
        return True
    if isinstance(value, OPAQUE) or type(value).__module__.split(".")[0] in ("numpy", "torch", "builtins"):
        return False
    return hasattr(value, "__dict__")


def is_theirs(one: type | types.FunctionType) -> bool:
    """Return whether a class or a function is the learner's, and may hold data; an enumeration's are no data."""
    if one.__module__ == "__main__":
        return True
    return is_their_file(sys.modules.get(one.__module__)) and not (isinstance(one, type) and issubclass(one, enum.Enum))


def file_of(one: object) -> types.ModuleType | None:
    """Return the learner's file that something is, or in which a class or a function was defined."""
    if isinstance(one, type | types.FunctionType):
        one = sys.modules.get(one.__module__)
    return one if isinstance(one, types.ModuleType) and is_their_file(one) else None


def is_their_file(module: types.ModuleType | None) -> bool:
    """Return whether a module is the learner's file: not Python's, not an installed one, not ours."""
    file = getattr(module, "__file__", None)
    return file is not None and "site-packages" not in file and is_theirs_by_path(file) and not file.startswith(ENGINES)


def attributes(value: object) -> dict:
    """Return an object's own attributes, those in slots among them."""
    found = dict(getattr(value, "__dict__", {}))
    for name in slots(type(value)):
        if hasattr(value, name):
            found[name] = getattr(value, name)
    return found


@functools.lru_cache(maxsize=256)  # each forward asks for those of the roots
def slots(kind: type) -> list[str]:
    """Return the names of the slots of a class and of its bases."""
    held = [cls.__dict__.get("__slots__", ()) for cls in kind.__mro__]
    names = [name for one in held for name in ((one,) if isinstance(one, str) else one)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def follow(value: object, step: Step) -> object:
    """Return what is one step from ``value``."""
    kind, key = step
    if kind in ("attr", "private"):
        return getattr(value, key)
    if kind == "cell":
        return function_contents.held(value)[key]
    return value[key]


def put(holder: object, steps: tuple[Step, ...], value: object) -> object:
    """Put ``value`` at the end of a path from ``holder``; return the holder, a new one if it is a tuple."""
    (kind, key), rest = steps[0], steps[1:]
    if rest:
        value = put(follow(holder, steps[0]), rest, value)
    if isinstance(holder, functools.partial) and key in ("args", "keywords"):
        fill(holder, contents(holder) | {key: value})
    elif kind in ("attr", "private"):
        if not rest or follow(holder, steps[0]) is not value:
            _set(holder, key, value)
    elif kind == "cell":
        function_contents.put(holder, key, value)
    elif kind == "tuple":
        parts = (*holder[:key], value, *holder[key + 1 :])
        return holder._make(parts) if hasattr(holder, "_make") else type(holder)(parts)
    else:
        holder[key] = value
    return holder


def _set(holder: object, name: str, value: object) -> None:
    try:
        setattr(holder, name, value)
    except AttributeError:  # a frozen dataclass
        object.__setattr__(holder, name, value)
