"""The numbers that a function holds by itself: its closure's, its arguments' defaults, its attributes."""

import functools
import types
from collections.abc import Callable

FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


def held(function: Callable) -> dict[str, object]:
    """Return what a function holds by name; a default that is a plain number is an option, and left out."""
    function = _plain(function)
    values = function.__defaults__ or ()
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = dict(zip(arguments[len(arguments) - len(values) :], values, strict=True))
    defaults |= function.__kwdefaults__ or {}
    defaults = {name: value for name, value in defaults.items() if not isinstance(value, int | float)}
    return vars(function) | defaults | {name: cell.cell_contents for name, cell in _cells(function).items()}


def put(function: Callable, name: str, value: object) -> None:
    """Put a value where `held` found one under this name."""
    function = _plain(function)
    if name in (cells := _cells(function)):
        cells[name].cell_contents = value
    elif name in (function.__kwdefaults__ or {}):
        function.__kwdefaults__[name] = value
    elif name in (arguments := function.__code__.co_varnames[: function.__code__.co_argcount]):
        defaults = list(function.__defaults__)
        defaults[arguments.index(name) - len(arguments)] = value
        function.__defaults__ = tuple(defaults)
    else:
        setattr(function, name, value)


def put_in_partial(partial: functools.partial, args: tuple, keywords: dict) -> None:
    """Put other arguments into a partial function, which lets nobody assign to them."""
    partial.__setstate__((partial.func, args, keywords, vars(partial)))


def _plain(function: Callable) -> types.FunctionType:
    return getattr(function, "__func__", function)


def _cells(function: types.FunctionType) -> dict[str, types.CellType]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return {name: cell for name, cell in cells.items() if _is_filled(cell)}


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True
