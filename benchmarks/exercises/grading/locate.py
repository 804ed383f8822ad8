"""Find the first wrong line of a pair of functions, with `parity_tests.diagnosis.lines`.

``backprop check`` has to work out what the arguments of somebody's functions mean. Here they are known: they are the
arguments of the plain functions that the exercise was cut from.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from types import FrameType, FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.exercises.grading.cases import Trial
from benchmarks.exercises.grading.watching import agree
from parity_tests.diagnosis import statements
from parity_tests.diagnosis.lines import Computed, Following, Known, Located
from parity_tests.diagnosis.lines import _tracing as tracing
from scratch.tape import Node, Tape, Value


class Pair(Following):
    """A pair of plain functions: forward on the tape, and backward line by line.

    Parameters
    ----------
    functions : pair of functions
        The learner's.
    trial : Trial
        What they are called with.
    operands : list of str or None
        The arguments of forward whose gradients backward returns, in the order in which it returns them.
    """

    def __init__(self, functions: tuple[Callable, ...], trial: Trial, operands: list[str | None]) -> None:
        self.functions, self.trial, self.operands = functions, trial, operands
        plan = SimpleNamespace(convention="upstream")
        reading = SimpleNamespace(learned=[])
        found = SimpleNamespace(
            forward_name=functions[0].__name__, backward_name=functions[1].__name__, owner=None, forward=functions[0]
        )
        optimizers = SimpleNamespace(have=lambda thing: False)
        self.learner: Any = SimpleNamespace(
            plan=plan, reading=reading, found=found, optimizers=optimizers, forward=lambda *inputs: None
        )
        self.inputs = trial.arguments
        self.names: dict[Node, str] = {}
        self.upstream = self.own_upstream = (np.asarray(trial.grad_y),)
        self.scalar = None
        self._forward_on_the_tape()
        self.known: list[Known] = list(self._true_gradients())

    def _functions(self) -> Iterator[FunctionType]:
        yield from self.functions

    def _forward_on_the_tape(self) -> None:
        self.tape, passed = Tape(), list(self.trial.fresh())
        parameters = list(inspect.signature(self.functions[0]).parameters)
        self.watched: dict[str, Node] = {}
        for name in self.operands:
            place = parameters.index(name) if name in parameters else None
            if place is not None and isinstance(passed[place], np.ndarray):
                passed[place] = self.tape.watch(passed[place])
                self.watched[name] = passed[place].node
                self.names[passed[place].node] = name
        with tracing(self._watch_forward):
            returned = self.functions[0](*passed)
        self.outputs = [one for one in returned[:1] if isinstance(one, Value)]
        if self.outputs:
            self.names.setdefault(self.outputs[0].node, "y")

    def _run(self, upstream: tuple[np.ndarray, ...]) -> list[Computed]:
        passed = backward_arguments(self.functions, self.trial, upstream[0])
        self.computed: list[Computed] = []
        self.last: dict[int, tuple[int, dict]] = {}
        with tracing(self._watch_backward), np.errstate(all="ignore"):
            self.functions[1](*passed)
        return self.computed

    def _is_ours(self, frame: FrameType) -> bool:
        return frame.f_code.co_filename == self.functions[1].__code__.co_filename

    def _watch_forward(self, frame: FrameType, event: str, argument: object) -> None:
        if self._is_ours(frame):
            super()._watch_forward(frame, event, argument)

    def _watch_backward(self, frame: FrameType, event: str, argument: object) -> None:
        if self._is_ours(frame):
            super()._watch_backward(frame, event, argument)

    def _end(self, one: Computed) -> Node | None:
        if not one.name.startswith("return") or one.function is not self.functions[1].__code__:
            return None
        number = int(one.name.split()[1])
        name = self.operands[number] if number < len(self.operands) else None
        return self.watched.get(name) if name else None


def backward_arguments(functions: tuple[Callable, ...], trial: Trial, grad_y: Any) -> tuple:
    """Run forward, and return what backward is called with: grad_y, forward's arguments, what it saved."""
    arguments = trial.fresh()
    forward = dict(zip(inspect.signature(functions[0]).parameters, arguments, strict=True))
    names = list(inspect.signature(functions[1]).parameters)
    with np.errstate(all="ignore"):
        saved = functions[0](*arguments)[1]
    grad_y = np.array(grad_y) if np.ndim(grad_y) else np.float64(grad_y)
    return (grad_y, *[forward[name] for name in names[1:-1]], saved)


def located(
    functions: tuple[Callable, ...], trial: Trial, operands: list[str | None], original: dict[str, Any]
) -> Located:
    """Return the first wrong line of backward; the line is 0 if it cannot be found.

    ``original`` holds the plain backward's intermediate values by name. A name with another value here is wrong too, if
    it is not a gradient that the tape knows.
    """
    try:
        following = Pair(functions, trial, operands)
        computed = following.backward()
        found = following.verdict(computed)
    except Exception:  # the verdict without the line is still worth telling
        return Located()
    latest = {one.name: one for one in computed}
    if found.wrong.startswith("return"):
        _to_the_assignment(found, functions[1], latest)
    named = [
        one
        for one in latest.values()
        if one.name in original and not one.words and not agree(one.values, original[one.name])
    ]
    first = min(named, key=lambda one: one.line, default=None)
    if first is not None and (not found.line or first.line < found.line):
        found.line, found.wrong, found.right = first.line, first.name, following._right(first)
    return found


def _to_the_assignment(found: Located, function: Callable, latest: dict[str, Computed]) -> None:
    number = int(found.wrong.split()[1])
    statement = statements.at(function.__code__, found.line)
    value = statements.part(statement, number)
    value = getattr(value, "value", None) if value is statement else value
    if isinstance(value, ast.Name) and value.id in latest:
        found.line, found.wrong = latest[value.id].line, value.id
