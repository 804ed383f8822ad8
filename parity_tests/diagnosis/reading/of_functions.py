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


def is_pair(module: types.ModuleType, names: str) -> bool:
    """Return whether ``names`` are two functions, or one that has its backward beside it."""
    return "," in names or partner_of(module, names) is not None
