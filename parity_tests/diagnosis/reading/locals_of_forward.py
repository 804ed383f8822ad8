"""Forward's local variables that backward takes by name: ``backward(dout, x, d_k)``, ``d_k = x.shape[-1]``."""

import inspect
import types
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading import watching
from parity_tests.diagnosis.reading.decorators import undecorated


def wanted(forward: Callable, backs: list[inspect.Parameter], known: list[str]) -> frozenset[str]:
    """Return the required arguments of backward that forward has as local variables, and that are not known."""
    code = _code(forward)
    own = code.co_varnames + code.co_cellvars if code is not None else ()
    return frozenset(p.name for p in backs if p.default is p.empty and p.name in own and p.name not in known)


def called(
    forward: Callable, given: tuple | list, named: dict[str, object], names: frozenset[str]
) -> tuple[object, dict[str, object]]:
    """Call forward; return what it returns, and its local variables of these names as it leaves them."""
    if not names:
        return forward(*given, **named), {}
    code, found = _code(forward), {}

    def look(frame: types.FrameType, _: object) -> None:
        if frame.f_code is code:
            found.update({name: value for name, value in frame.f_locals.items() if name in names})

    with watching.returns(look):
        return forward(*given, **named), found


def is_option(value: object) -> bool:
    """Return whether a value is a number, a word or a shape: nothing that has a gradient."""
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(size, int) for size in value)
    return isinstance(value, int | float | str | np.number | np.bool_)


def _code(function: Callable) -> types.CodeType | None:
    inner = undecorated(function)
    return getattr(getattr(inner, "__func__", inner), "__code__", None)
