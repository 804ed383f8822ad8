"""A function's parameters, remembered: a check calls forward thousands of times, and asks for them at each call."""

import inspect
import types
import weakref
from collections.abc import Callable

_KNOWN: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    """Return what `inspect.signature` says of a function, without the ``self`` of a bound method.

    Raises
    ------
    TypeError, ValueError
        If it has no signature.
    """
    inner = getattr(function, "__func__", function)
    if not isinstance(inner, types.FunctionType) or inner.__kwdefaults__ or inner.__dict__:
        return list(inspect.signature(function).parameters.values())
    key = inner.__code__, inner.__defaults__, function is inner
    known = _KNOWN.get(inner)
    if known is None or any(one is not other for one, other in zip(known[0], key, strict=True)):
        _KNOWN[inner] = known = key, list(inspect.signature(function).parameters.values())
    return list(known[1])
