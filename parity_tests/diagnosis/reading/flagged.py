"""A function that returns its own derivative if a flag says so: ``sigmoid(x, deriv=False)``."""

import inspect
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.names import FLAGS


class Flagged:
    """The derivative of a function with a flag, of the function's argument.

    Some mean the flag's call to get the argument, some the output: ``of_output``.
    """

    def __init__(self, function: Callable, flag: str, of_output: bool = False) -> None:
        self._function, self._flag, self.of_output = function, flag, of_output
        first = next(iter(inspect.signature(function).parameters.values()))
        given = f"{function.__name__}({first.name})" if of_output else first.name
        self.__name__ = f"{function.__name__}({given}, {flag}=True)"
        self.__code__ = function.__code__
        self.__signature__ = inspect.Signature([first])
        self.said = (
            f"{flag}=True is taken to mean the derivative, given {'the output' if of_output else 'the same argument'}"
        )

    def __call__(self, x: np.ndarray) -> object:
        """Return the derivative at ``x``."""
        return self._function(self._function(x) if self.of_output else x, **{self._flag: True})

    def other(self) -> "Flagged":
        """Return the same in the other convention."""
        return Flagged(self._function, self._flag, not self.of_output)


def with_flag(function: Callable) -> Flagged | None:
    """Return the derivative that a function returns if a flag is True; None if it has no flag."""
    parameters = list(inspect.signature(function).parameters.values())
    flag = next((p.name for p in parameters[1:] if FLAGS.match(p.name) and p.default is False), None)
    required = [p for p in parameters if p.default is p.empty]
    return None if flag is None or len(required) != 1 else Flagged(function, flag)
