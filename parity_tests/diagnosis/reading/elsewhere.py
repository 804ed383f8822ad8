"""Arrays that lie where no path leads that could be put back: a getter's closure, a cache, a generator, a weak set.

Whatever an object refers to is found as Python's garbage collector finds it. Such an array is held by itself: it is
changed in place, and its label says on which way it was found.
"""

import collections
import contextlib
import contextvars
import functools
import gc
import sys
import types
import weakref
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading import buffers, function_contents, holders
from scratch.nn.module import Module
from scratch.nn.parameter import Parameter

ATOMS = (str, bytes, bytearray, bool, int, float, complex, np.generic, np.dtype, types.CodeType, type(None))
MOST = 50_000
"""The most objects that are looked at."""


def numbers(roots: list[object], prefixes: list[str], known: set[int]) -> dict[str, object]:
    """Return what holds numbers and is reached on a way of which `holders.children` does not know, by a label.

    Parameters
    ----------
    roots : list of object
        Where the search begins.
    prefixes : list of str
        How the code calls them.
    known : set of int
        The identities of what a walk over `holders.children` reaches.
    """
    found: dict[int, tuple[str, object]] = {}
    new = collections.deque((root, prefix, True) for root, prefix in zip(roots, prefixes, strict=True))
    seen: set[int] = set()
    while new and len(seen) < MOST:
        value, label, top = new.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        shown = {id(child) for _, child in holders.children(value, top)} if id(value) in known or top else set()
        for step, child in _referents(value, top):
            if isinstance(child, ATOMS) or holders.only_shows(child):
                continue
            said = _label(label, step)
            is_numbers = buffers.holds_numbers(child)
            if is_numbers and not (id(child) in shown and id(child) in known) and _can_be_written_to(child):
                found.setdefault(id(child), (said, child))
            if not is_numbers or isinstance(child, np.ndarray):  # of a matrix in lists, the rows are no arrays
                new.append((child, said, False))
    return _unique(list(found.values()))


def _referents(value: object, top: bool) -> Iterator[tuple[object, object]]:
    """Yield what a value refers to, each with its name or place, if it has one."""
    if isinstance(value, types.ModuleType | type):
        if top or is_theirs(value):
            yield from ((name, child) for name, child in list(vars(value).items()) if not name.startswith("__"))
            yield None, type(value)
    elif isinstance(value, types.FunctionType):
        yield from function_contents.held(value).items()
        if "__name__" not in value.__globals__ or value.__globals__["__name__"] not in sys.modules:
            yield from ((n, child) for n, child in list(value.__globals__.items()) if not n.startswith("__"))
    elif isinstance(value, Module | Parameter) or buffers.is_torch_module(value):
        yield from ((key, child) for (_, key), child in holders.children(value))
    elif isinstance(value, dict | types.MappingProxyType):
        yield from list(value.items())
        yield from ((None, key) for key in list(value))
    elif isinstance(value, list | tuple | collections.deque):
        yield from enumerate(list(value))
        yield from _of_object(value)
    elif isinstance(value, weakref.ref):
        yield None, value()
    elif isinstance(value, contextvars.ContextVar):
        with contextlib.suppress(LookupError):
            yield None, value.get()
    else:
        yield from _of_object(value)


def _of_object(value: object) -> Iterator[tuple[object, object]]:
    if buffers.is_tensor(value):
        return
    if isinstance(value, functools._lru_cache_wrapper):
        yield from ((None, child) for child in gc.get_referents(value))
        return
    yield from holders.attributes(value).items()
    own = getattr(value, "__dict__", None)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        yield from ((None, child) for child in value.flat)
    yield from ((None, child) for child in gc.get_referents(value) if child is not own)


def _can_be_written_to(value: object) -> bool:
    """Return whether numbers can be changed in place; a read-only array is made writable, where that is possible."""
    there = buffers.seen_as_array(value)
    if isinstance(there, tuple):
        return False
    if isinstance(there, np.ndarray) and not there.flags.writeable:
        with contextlib.suppress(ValueError):
            there.flags.writeable = True
    return not isinstance(there, np.ndarray) or there.flags.writeable


def is_theirs(value: types.ModuleType | type) -> bool:
    """Return whether a module or a class is the learner's, also a module that his code made itself."""
    if isinstance(value, type):
        module = sys.modules.get(value.__module__)
        return value.__module__ == "__main__" or (module is not None and holders.is_their_file(module))
    made = getattr(value, "__file__", None) is None and getattr(value, "__spec__", None) is None
    return (made and value.__name__ != "__main__") or holders.is_their_file(value)


def _label(before: str, step: object) -> str:
    if isinstance(step, str):
        return f"{before}.{step}" if before else step
    return f"{before}[{step}]" if isinstance(step, int) else before


def _unique(found: list[tuple[str, object]]) -> dict[str, object]:
    labels = [label for label, _ in found]
    numbers = collections.Counter()
    named = {}
    for label, value in found:
        numbers[label] += 1
        named[f"{label}[{numbers[label] - 1}]" if labels.count(label) > 1 else label or "array"] = value
    return named
