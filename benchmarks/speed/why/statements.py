"""What each line of a derivation costs: plain functions with a mark between their statements.

`marked` recompiles a plain function with a mark before its first labelled statement and after each of them. A mark is
whatever a function without arguments returns: the clock's time, or how much has moved so far. What runs between two
marks is the statement, as it is in its file.
"""

import ast
import inspect
import math
import sys
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any

from benchmarks.speed.why import calls, traffic
from benchmarks.speed.why.traffic import Move
from parity_tests.harness.derivation import Statement
from parity_tests.harness.trace import derivation_of
from scratch import dispatch


@dataclass
class Line:
    """A labelled statement of a plain function, as it ran in a row.

    Attributes
    ----------
    function, label, code : str
        The plain forward function's name; "F2", "B7a"; the statement's first line, without its label.
    times : int
        How often it runs in the row.
    seconds : float
        How long it takes, all times together.
    moves : list of Move
        What NumPy did in it.
    """

    function: str
    label: str
    code: str
    times: int = 0
    seconds: float = 0.0
    moves: list[Move] = field(default_factory=list)


def lines(run: Callable[[], object], rounds: int) -> tuple[list[Line], float]:
    """Run a row of plain functions, and time it ``rounds`` times.

    Returns
    -------
    list of Line
        Each labelled statement, with its times and moves.
    float
        The seconds of the quickest run with marks, from which the statements' times are, too.
    """
    found: dict[tuple[str, str, str], Line] = {}

    def entry(name: str, which: str, statement: Statement) -> Line:
        key = name, which, statement.label
        return found.setdefault(key, Line(name, statement.label, statement.source.strip().splitlines()[0]))

    def count(name: str, which: str, statements: list[Statement], marks: list[int]) -> None:
        for statement, (begin, end) in zip(statements, pairwise(marks), strict=True):
            line = entry(name, which, statement)
            line.times += 1
            line.moves += traffic.moves()[begin:end]

    def time(name: str, which: str, statements: list[Statement], marks: list[float]) -> None:
        for statement, (begin, end) in zip(statements, pairwise(marks), strict=True):
            entry(name, which, statement).seconds += end - begin

    calls.counted(run, True, partial(_marking, lambda: len(traffic.moves()), count))
    marking = partial(_marking, perf_counter, time)
    quickest, seconds = math.inf, {}
    with calls.around(marking, plain=True):
        run()  # functions are compiled
        for _ in range(rounds):
            for line in found.values():
                line.seconds = 0.0
            begin = perf_counter()
            run()
            total = perf_counter() - begin
            if total < quickest:
                quickest, seconds = total, {key: line.seconds for key, line in found.items()}
    for key, line in found.items():
        line.seconds = seconds[key]
    return list(found.values()), quickest


def _marking(
    mark: Callable[[], Any], hear: Callable, functions: tuple[Callable, ...], which: str, function: Callable
) -> Callable:
    """Return what runs in place of a plain function: the same with marks, if it has labelled statements."""
    statements = [one for one in statements_of(functions, which) if one.label]
    if not statements:
        return function
    plain = functions[which == calls.BACKWARD]
    say = partial(hear, plain.__name__.removesuffix("_backward"), which, statements)
    return dispatch.quiet(marked(plain, [one.line for one in statements], mark, say))


def cost_of_a_mark() -> float:
    """Return the seconds that a mark takes, by which its statement seems to take longer."""
    marks: list[float] = []
    return min(timeit.repeat(lambda: marks.append(perf_counter()), number=1000, repeat=20)) / 1000


def statements_of(functions: tuple[Callable, ...], which: str) -> list[Statement]:
    """Return the statements of a pair's forward or backward, or of an optimizer's rule."""
    derivation = derivation_of(functions[0].__name__, functions[0].__module__)
    return derivation.backward if which == calls.BACKWARD else derivation.forward


def marked(function: Callable, lines: Sequence[int], mark: Callable[[], Any], say: Callable) -> Callable:
    """Return a plain function that passes its marks to ``say``, as a list, before it returns.

    Parameters
    ----------
    function : callable
        The plain function.
    lines : sequence of int
        The lines of its file where its labelled statements begin; between the first and the last are no others.
    mark : callable
        Takes nothing, and returns what to note between two statements.
    say : callable
        Takes the marks of one call, one more than there are labelled statements.
    """
    module = sys.modules[function.__module__]
    source = ast.parse(inspect.getsource(module))
    definition = next(node for node in source.body if getattr(node, "name", None) == function.__name__)
    body: list[ast.stmt] = []
    for node in definition.body:
        if node.lineno == lines[0]:
            body += ast.parse("_marks = [_mark()]").body
        if isinstance(node, ast.Return):
            body += ast.parse("_say(_marks)").body
        body.append(node)
        if node.lineno in lines:
            body += ast.parse("_marks.append(_mark())").body
    definition.body = body
    namespace = {**vars(module), "_mark": mark, "_say": say}
    tree = ast.fix_missing_locations(ast.Module([definition], []))
    exec(compile(tree, function.__code__.co_filename, "exec"), namespace)
    return namespace[function.__name__]
