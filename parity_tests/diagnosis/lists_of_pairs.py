"""A training step on a list of pairs, ``for x, y in mini_batch``: two arrays that hold all examples stand for it."""

import ast
import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from parity_tests.diagnosis.assumed_losses import USUAL, Loss
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.nested import parsed
from parity_tests.diagnosis.request import Request

EXAMPLES = 3


def names_in_pairs(method: Callable) -> list[str]:
    """Return the names that a loop over the method's first argument gives to the two in a pair; [] if there is none."""
    first = next(iter(inspect.signature(method).parameters), "")
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    tree = parsed(code) if code is not None else None
    for node in ast.walk(tree) if tree is not None else ():
        over_first = isinstance(node, ast.For) and isinstance(node.iter, ast.Name) and node.iter.id == first
        if over_first and isinstance(node.target, ast.Tuple) and all(isinstance(e, ast.Name) for e in node.target.elts):
            names = [element.id for element in node.target.elts]
            return names if len(names) == 2 else []
    return []


def of_arrays(method: Callable) -> Called:
    """Return the method as one that takes the inputs of all examples as one array, and their targets as another."""
    _, *rest = inspect.signature(method).parameters.values()
    pair = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names_in_pairs(method)]

    def step(x: np.ndarray, y: np.ndarray, *others: object, **named: object) -> object:
        return method(list(zip(x, y, strict=True)), *others, **named)

    return Called(step, method).taking([*pair, *rest])


def of_several(request: Request) -> Request:
    """Return the request of one example's input and target as that of `EXAMPLES`."""
    shape = request.target_shape
    return dataclasses.replace(
        request,
        inputs=[(EXAMPLES, *one) for one in request.inputs],
        target_shape=None if shape is None else (EXAMPLES, *shape),
    )


def of_all(found: Iterable[Loss]) -> Iterator[Loss]:
    """Yield losses of one example as those of all, averaged and summed."""
    for one in found:
        for how, words in ((np.mean, "averaged"), (np.sum, "summed")):

            def loss(x: np.ndarray, y: np.ndarray, one: Loss = one, how: Callable = how) -> object:
                return how([one.function(*pair) for pair in zip(x, y, strict=True)])

            name = f"{one.words or one.function.__name__}, {words} over the pairs"
            yield Loss(Called(loss, one.function), name, among=one.among or USUAL, fallback=one.fallback)
