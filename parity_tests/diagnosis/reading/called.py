"""A function of ours in the place of a method: a usual loss of a prediction, a backward that is given more."""

import inspect
from collections.abc import Callable

import numpy as np


class Called:
    """A function with the name, the source and the first arguments of somebody's method, and another body."""

    def __init__(self, body: Callable, method: Callable, name: str = "") -> None:
        self.body = body
        self.__name__ = name or method.__name__
        code = getattr(getattr(method, "__func__", method), "__code__", None)
        if code is not None:
            self.__code__ = code

    def taking(self, parameters: list[inspect.Parameter]) -> "Called":
        """Say what it takes; return it."""
        self.__signature__ = inspect.Signature(parameters)
        return self

    def __call__(self, *inputs: np.ndarray, **named: object) -> object:
        """Call the body."""
        return self.body(*inputs, **named)
