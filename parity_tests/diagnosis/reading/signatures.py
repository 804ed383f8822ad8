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
    is_bound = function is not inner
    code, defaults, was_bound, found = _KNOWN.get(inner, (None, None, None, []))
    if code is not inner.__code__ or defaults is not inner.__defaults__ or is_bound is not was_bound:
        found = list(inspect.signature(function).parameters.values())
        _KNOWN[inner] = inner.__code__, inner.__defaults__, is_bound, found
    return list(found)
