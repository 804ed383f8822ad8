"""What can be reached from the roots of a search and is a root of its own: classes, functions that hold data, files."""

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from parity_tests.diagnosis.reading import holders
from parity_tests.diagnosis.reading.holders import OPAQUE

DEEP = 24
"""The most steps from a root."""


def classes_and_files(roots: list[object]) -> tuple[list[type], list[types.ModuleType]]:
    """Return the learner's classes and other files: those of what is reached, and what his files import."""
    classes, modules, new = {}, {}, list(roots)
    while new:
        found = list(reached(new))
        fresh = [one for one in found if isinstance(one, type) and holders.is_theirs(one) and one not in classes]
        classes |= dict.fromkeys(fresh)
        files = [holders.file_of(one) for one in found]
        files = [one for one in files if one is not None and one not in modules]
        modules |= dict.fromkeys(files)
        new = [one for one in (*fresh, *files) if not any(one is root for root in roots)]
    return [c for c in classes if c not in roots], [m for m in modules if not any(m is root for root in roots)]


def folders(roots: list[object]) -> list[Path]:
    """Return the folders of the learner's files."""
    return [Path(one.__file__).parent for one in dict.fromkeys(map(holders.file_of, roots)) if one is not None]


def named_files(roots: list[object], inside: list[Path], before: set[str]) -> list[types.ModuleType]:
    """Return more files inside folders: those that the files there name, or that were not loaded ``before``."""
    known = [one for one in dict.fromkeys(map(holders.file_of, roots)) if one is not None]
    here = [one for one in known if any(Path(one.__file__).is_relative_to(folder) for folder in inside)]
    words = {word for one in here for word in re.findall(r"\w+", _source(one))}
    found = []
    for name in [name for name in sys.modules if name not in before or name.rpartition(".")[2] in words]:
        module = sys.modules[name]
        if hasattr(module, "__path__"):
            continue  # a package leads to all of its files, also to those that have nothing to do with these
        new = holders.file_of(module) is not None and not any(module is one for one in (*known, *roots))
        if new and any(Path(module.__file__).is_relative_to(folder) for folder in inside):
            found.append(module)
    return found


def _source(module: types.ModuleType) -> str:
    try:
        return Path(module.__file__).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def functions(roots: list[object]) -> list[types.FunctionType]:
    """Return the functions that hold something, and that are no roots themselves."""
    found = [one for one in reached(roots) if isinstance(one, types.FunctionType) and holders.contents(one)]
    return [one for one in found if not any(one is root for root in roots)]


def reached(roots: list[object]) -> Iterator[object]:
    """Yield everything that can be reached once; of an object its classes, too, and what a file defines and imports."""
    seen: set[int] = set()

    def walk(value: object, depth: int = 0) -> Iterator[object]:
        if id(value) in seen or depth > DEEP or isinstance(value, (str, bytes, bool, int, float, complex, np.ndarray)):
            return
        seen.add(id(value))
        yield value
        if depth and isinstance(value, OPAQUE):
            return
        for cls in type(value).__mro__:
            yield from walk(cls, 1)
        for _, child in holders.children(value, top=not depth):
            yield from walk(child, depth + 1)
        for child in vars(value).values() if isinstance(value, types.ModuleType) else ():
            if isinstance(child, types.ModuleType | type):
                yield from walk(child, 1)
        if isinstance(value, types.MethodType):
            yield from walk(value.__func__, depth + 1)

    for root in roots:
        yield from walk(root)
