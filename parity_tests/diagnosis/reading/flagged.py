"""A function that returns its own derivative if a flag says so: ``sigmoid(x, deriv=False)``, ``mse(y, p, d=False)``."""

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
        taken = _required(function)
        names = ", ".join(one.name for one in taken)
        self.of_two = len(taken) > 1
        given = f"{function.__name__}({names})" if of_output else names
        self.__name__ = f"{function.__name__}({given}, {flag}=True)"
        self.__code__ = function.__code__
        self.__signature__ = inspect.Signature(taken)
        same = "the same arguments" if self.of_two else "the same argument"
        self.said = f"{flag}=True is taken to mean the derivative, given {'the output' if of_output else same}"

    def __call__(self, *inputs: np.ndarray) -> object:
        """Return the derivative at the inputs."""
        given = (self._function(*inputs),) if self.of_output else inputs
        return self._function(*given, **{self._flag: True})

    def other(self) -> "Flagged":
        """Return the same in the other convention."""
        return Flagged(self._function, self._flag, not self.of_output)


def with_flag(function: Callable) -> Flagged | None:
    """Return the derivative that a function returns if a flag is True; None if it has no flag.

    Of two arguments one is a loss's target.
    """
    parameters = list(inspect.signature(function).parameters.values())
    flag = next((p.name for p in parameters[1:] if FLAGS.match(p.name) and p.default is False), None)
    return None if flag is None or not 0 < len(_required(function)) < 3 else Flagged(function, flag)


def _required(function: Callable) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
