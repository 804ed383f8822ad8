"""The functions that a row calls, in order: how long each takes within the row, and what it moves."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.speed.why import traffic
from benchmarks.speed.why.traffic import Move
from parity_tests.harness.calls import wrapped_functions
from scratch import dispatch

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


@dataclass
class Call:
    """A call of a forward or backward function, or of an optimizer's rule.

    Attributes
    ----------
    name, which : str
        The name of the plain forward function, or of the rule; "forward", "backward" or "update".
    shape : tuple of int
        The first argument's.
    moves : list of Move
        What NumPy did.
    needed : int
        The bytes of each argument and each result once. What forward saves for backward counts for no more than
        forward's own arguments, from which it could be recomputed.
    largest : int
        The bytes of the largest argument or result.
    """

    name: str
    which: str
    shape: tuple[int, ...]
    moves: list[Move] = field(default_factory=list)
    needed: int = 0
    largest: int = 0

    @property
    def bytes(self) -> int:
        """The bytes moved in all."""
        return sum(move.bytes for move in self.moves)

    @property
    def products(self) -> int:
        """The multiply-adds of its matrix products."""
        return sum(move.products for move in self.moves)

    @property
    def alone(self) -> Counter[str]:
        """The time of its NumPy calls by themselves, by name."""
        seconds: Counter[str] = Counter()
        for move in self.moves:
            seconds[move.name] += move.seconds
        return seconds


Instead = Callable[[tuple[Callable, ...], str, Callable], Callable]
"""Takes the plain pair, or a rule alone; "forward", "backward" or "update"; and the function that would be called.
Returns the one to call in its place."""


@contextlib.contextmanager
def around(instead: Instead, plain: bool) -> Iterator[None]:
    """Call other functions in place of the plain ones, or of the kernels, and of the optimizers' rules."""
    run, rules = dispatch.run, {}

    def run_update(update: Callable, rule: Callable, *arguments: Any) -> None:
        if rule not in rules:
            rules[rule] = instead((rule,), UPDATE, rule)
        run(update, rules[rule], *arguments)

    def run_any(function: Callable, *arguments: Any) -> Any:
        return run_update(function, *arguments) if function.__name__ == UPDATE else run(function, *arguments)

    with wrapped_functions(instead, plain), mock.patch.object(dispatch, "run", run_any):
        yield


@contextlib.contextmanager
def timed(plain: bool = False) -> Iterator[list[float]]:
    """List the seconds of each call inside the ``with`` block, in the same order as `counted`."""
    seconds: list[float] = []

    def instead(functions: tuple[Callable, ...], which: str, function: Callable) -> Callable:
        def call(*arguments: Any, **options: Any) -> Any:
            begin = perf_counter()
            result = function(*arguments, **options)
            seconds.append(perf_counter() - begin)
            return result

        return call

    with around(instead, plain):
        yield seconds


def _as_it_is(functions: tuple[Callable, ...], which: str, function: Callable) -> Callable:
    return function


def counted(
    run: Callable[[], object], plain: bool = False, instead: Instead = _as_it_is, alone: bool = False
) -> list[Call]:
    """Run a row, and return its calls with what they move and, if ``alone``, with the time of each call of NumPy."""
    calls: list[Call] = []
    kept: dict[tuple, int] = {}  # the bytes of the arguments of a pair's last forward

    def counting(functions: tuple[Callable, ...], which: str, function: Callable) -> Callable:
        function = instead(functions, which, function)
        return update(functions[0], function) if which == UPDATE else half(functions, which, function)

    def half(functions: tuple[Callable, ...], which: str, function: Callable) -> Callable:
        def call(*arguments: Any) -> Any:
            with traffic.noted() as moves:
                result = function(*traffic.counted(arguments))
            if which == FORWARD:
                outputs, read = (result[0], *result[2:]), traffic.size_of(arguments)
                kept[functions] = read
            else:
                outputs, read = result, traffic.size_of(arguments[:-1])
                read += min(traffic.size_of(arguments[-1]), kept[functions])
            shape = np.shape(arguments[0])
            needed = read + traffic.size_of(outputs)
            largest = max(map(traffic.size_of, traffic.arrays_in((arguments, outputs))), default=0)
            calls.append(Call(functions[0].__name__, which, shape, moves, needed, largest))
            if which == FORWARD:  # what is kept for backward goes on counting
                return (traffic.bare(result[0]), result[1], *traffic.bare(result[2:]))
            return traffic.bare(result)

        return call

    def update(rule: Callable, function: Callable) -> Callable:
        def call(*arguments: Any, **options: Any) -> Any:
            with traffic.noted() as moves:
                result = function(*traffic.counted(arguments), **options)
                for array in result:  # which its caller puts into its place
                    traffic.note("copy", array, array)
            needed = traffic.size_of(arguments) + traffic.size_of(result)
            largest = traffic.size_of(arguments[0])
            calls.append(Call(rule.__name__, UPDATE, np.shape(arguments[0]), moves, needed, largest))
            return traffic.bare(result)

        return call

    run()  # what is computed once and kept is plain
    with traffic.counting(), traffic.timing_alone() if alone else contextlib.nullcontext(), around(counting, plain):
        run()
    return calls
