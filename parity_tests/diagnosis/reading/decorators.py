"""What lies under a decorator that does not use ``functools.wraps``."""

import inspect
import types
from collections.abc import Callable

from parity_tests.diagnosis.reading.signatures import parameters_of


def undecorated(function: Callable) -> Callable:
    """Return the function that ``def inner(*args, **kwargs)`` calls, bound as ``inner`` is; else the function itself.

    Its name, its arguments and its source are what the learner wrote; what is called is still the decorated one.
    """
    inner = getattr(function, "__func__", function)
    if not isinstance(inner, types.FunctionType) or not inner.__closure__:
        return function
    kinds = {p.kind for p in parameters_of(function)}
    if kinds != {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return function
    held = [cell.cell_contents for cell in inner.__closure__ if cell.cell_contents is not inner]
    functions = [one for one in held if isinstance(one, types.FunctionType)]
    if len(functions) != 1:
        return function
    owner = getattr(function, "__self__", None)
    return undecorated(functions[0] if owner is None else types.MethodType(functions[0], owner))
