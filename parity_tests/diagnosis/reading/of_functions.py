"""What belongs to a function: the names of its backward, and how it is given its further arguments."""

import inspect
import types
from collections.abc import Callable

from parity_tests.diagnosis.reading.names import INPUTS


def partners(name: str) -> list[str]:
    """Return the names under which the backward of a function called ``name`` may be found."""
    endings = ("backward", "bwd", "back", "backprop", "grad", "gradient", "derivative", "deriv", "prime", "vjp")
    found = [f"{name}_{ending}" for ending in endings]
    found += [f"{ending}_{name}" for ending in ("backward", "d", "grad", "gradient", "back")] + [f"d{name}"]
    for word, others in (("forward", ("backward", "back", "backwards")), ("fwd", ("bwd",)), ("fprop", ("bprop",))):
        if word in name:
            found = [name.replace(word, other) for other in others] + found
    return found


def by_keyword(name: str, function: Callable) -> str:
    """Return how a function is given its further arguments."""
    names = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    option = next((one for one in [*names, *inspect.signature(function).parameters] if not INPUTS.match(one)), "NAME")
    return (
        f"--args by place make a layer, and {name}{inspect.signature(function)} makes none: give what is no input by "
        f'keyword, as in --args "{option}=..."'
    )


def partner_of(module: types.ModuleType, name: str) -> Callable | None:
    """Return the backward of a function of a module, None if it has none beside it."""
    return next((vars(module)[other] for other in partners(name) if callable(vars(module).get(other))), None)


def pair_of(module: types.ModuleType, name: str) -> tuple[Callable, Callable] | None:
    """Return a function of a module and its backward, of which ``name`` is one; None if it stands alone."""
    function, partner = vars(module).get(name), partner_of(module, name)
    if partner is not None:
        return function, partner
    fronts = [front for front in vars(module) if name in partners(front) and partner_of(module, front) is function]
    return (vars(module)[fronts[0]], function) if len(fronts) == 1 else None


def is_pair(module: types.ModuleType, names: str) -> bool:
    """Return whether ``names`` are two functions, or one of two that are beside each other."""
    return "," in names or pair_of(module, names) is not None
