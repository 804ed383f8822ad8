"""Look up a name in a file: ``Class``, ``Class.method``, ``LAYERS["tanh"]``, ``layers[0]``."""

import re
import types

from parity_tests.diagnosis.reading.running import NotUnderstoodError


def named_in(module: types.ModuleType, path: str, file: str) -> object:
    """Return what a module has under a name, with attributes and with keys of dictionaries and places of lists."""
    found: object = module
    parts = re.findall(r"\w+|\[[^\]]*\]|.", path)
    for part in parts:
        if part == ".":
            continue
        if part.startswith("["):
            key = part[1:-1].strip("'\"")
            found = _item(found, key)
        else:
            found = getattr(found, part, None)
        if found is None or isinstance(found, types.ModuleType):
            raise NotUnderstoodError(f"{file} has no class or function {path!r}")
    if not parts:
        raise NotUnderstoodError(f"{file} has no class or function {path!r}")
    return found


def _item(holder: object, key: str) -> object:
    if isinstance(holder, dict):
        return next((value for name, value in holder.items() if str(name) == key), None)
    if isinstance(holder, list | tuple) and key.isdigit() and int(key) < len(holder):
        return holder[int(key)]
    return None
