"""Find the first wrong line of a pair of functions, with `parity_tests.diagnosis.lines`.

``backprop check`` has to work out what the arguments of somebody's functions mean. Here they are known: they are the
arguments of the plain functions that the exercise was cut from.
"""

import ast
import inspect
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from benchmarks.exercises.grading.cases import Trial
from benchmarks.exercises.grading.watching import agree
from parity_tests.diagnosis.lines import statements
from parity_tests.diagnosis.lines.backward import Backward, Computed, recorded, tracing, varied
from parity_tests.diagnosis.lines.first_wrong import FirstWrong
from parity_tests.diagnosis.lines.forward import Forward, Names, name_locals
from parity_tests.diagnosis.lines.locate import Located, right, verdict
from parity_tests.diagnosis.lines.recognize import Recognized
from scratch.tape import Node, Tape, Value

Pair = tuple[Callable, Callable]
"""A forward and its backward, the learner's."""


def located(functions: Pair, trial: Trial, operands: list[str | None], original: dict[str, Any]) -> Located:
    """Return the first wrong line of backward; the line is 0 if it cannot be found.

    ``operands`` are the arguments of forward whose gradients backward returns, in the order in which it returns them.
    ``original`` holds the plain backward's intermediate values by name. A name with another value here is wrong too, if
    it is not a gradient that the tape knows.
    """
    try:
        recognized = _followed(functions, trial, operands)
        found = verdict(recognized)
    except Exception:  # the verdict without the line is still worth telling
        return Located()
    latest = {one.name: one for one in recognized.computed}
    if found.wrong.startswith("return "):
        _to_the_assignment(found, functions[1], latest)
    named = [
        one
        for one in latest.values()
        if one.name in original and not one.words and not agree(one.values, original[one.name])
    ]
    first = min(named, key=lambda one: one.line, default=None)
    if first is not None and (not found.line or first.line < found.line):
        found.line, found.wrong, found.right = first.line, first.name, right(FirstWrong(recognized), first)
    return found


def _followed(functions: Pair, trial: Trial, operands: list[str | None]) -> Recognized:
    """Run forward on the tape and backward line by line."""
    front, back = functions
    tape, names, passed = Tape(), {}, list(trial.fresh())
    watched = _watch(tape, names, list(inspect.signature(front).parameters), passed, operands)

    def ours(frame: FrameType) -> bool:
        return frame.f_code.co_filename == back.__code__.co_filename

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if ours(frame):
            name_locals(names, frame, front.__name__)

    with tracing(watch):
        returned = front(*passed)
    outputs = [one for one in returned[:1] if isinstance(one, Value)]
    if outputs:
        names.setdefault(outputs[0].node, "y")

    def run(grad_y: np.ndarray) -> list[Computed]:
        arguments = backward_arguments(functions, trial, grad_y)
        with np.errstate(all="ignore"):
            return recorded(lambda: back(*arguments), ours)

    grad_y = np.asarray(trial.grad_y)
    forward = Forward(tape, outputs, (grad_y,), names)
    gradients = {number: watched[name] for number, name in enumerate(operands) if name in watched}
    return Recognized(forward, Backward(back.__code__, back.__name__, (run(grad_y), run(varied(grad_y))), gradients))


def _watch(
    tape: Tape, names: Names, parameters: list[str], passed: list, operands: list[str | None]
) -> dict[str, Node]:
    """Put the operands among the arguments on the tape, and return their nodes by name."""
    watched = {}
    for name in operands:
        place = parameters.index(name) if name in parameters else None
        if place is not None and isinstance(passed[place], np.ndarray):
            passed[place] = tape.watch(passed[place])
            watched[name] = passed[place].node
            names[passed[place].node] = name
    return watched


def backward_arguments(functions: tuple[Callable, ...], trial: Trial, grad_y: Any) -> tuple:
    """Run forward, and return what backward is called with: grad_y, forward's arguments, what it saved."""
    arguments = trial.fresh()
    forward = dict(zip(inspect.signature(functions[0]).parameters, arguments, strict=True))
    names = list(inspect.signature(functions[1]).parameters)
    with np.errstate(all="ignore"):
        saved = functions[0](*arguments)[1]
    grad_y = np.array(grad_y) if np.ndim(grad_y) else np.float64(grad_y)
    return (grad_y, *[forward[name] for name in names[1:-1]], saved)


def _to_the_assignment(found: Located, function: Callable, latest: dict[str, Computed]) -> None:
    number = int(found.wrong.split()[1])
    statement = statements.at(function.__code__, found.line)
    value = statements.part(statement, number)
    value = getattr(value, "value", None) if value is statement else value
    if isinstance(value, ast.Name) and value.id in latest:
        found.line, found.wrong = latest[value.id].line, value.id
