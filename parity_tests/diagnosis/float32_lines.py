"""Lines that compute in float32, ``np.empty(shape, dtype="f")`` or ``x.astype("f")``, where float64 is compared.

Their rounding hides what is compared: finite differences see three digits of it, and the tape accuses right lines. So
the layer runs once more with float64 in their place. New arrays and weights in float32 are a choice of memory. A
forward or a backward that rounds the numbers it gets still differs, but not for a wrong gradient.
"""

import ast
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType, FunctionType, ModuleType

import numpy as np

from parity_tests.diagnosis import rewritten
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError
from parity_tests.diagnosis.request import Request, Verdict

SPELLINGS = ("f", "f4", "<f4", "float32", "single")
MAKING = ("zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like", "eye", "arange")
CONVERTING = ("array", "asarray", "ascontiguousarray")


@dataclass(eq=False)
class _Place:
    """Where a function says float32, what says float64 instead, and whether it makes a new array or a weight."""

    function: FunctionType
    tree: ast.FunctionDef
    dtype: ast.expr
    instead: ast.expr
    makes: bool

    @property
    def key(self) -> tuple[str, int]:
        """The file and the first line of the function."""
        return self.function.__code__.co_filename, self.tree.lineno


def settle(verdict: Verdict, request: Request, module: ModuleType, again: Callable[[], Verdict]) -> Verdict:
    """Return the verdict with float64 in the place of float32, if that is what a layer differs for.

    Parameters
    ----------
    verdict : Verdict
        On the layer as it is.
    request : Request
    module : module
        The learner's file.
    again : callable
        Returns the verdict once more.
    """
    if verdict.status != 1 or request.dtype != "float64":
        return verdict
    places = [place for function in rewritten.functions_of(module) for place in _places(function)]
    makes = [place for place in places if place.makes]
    if not places:
        return verdict
    for some in [makes, places] if len(makes) < len(places) else [places]:
        try:
            with _in_float64(some) as ran:
                found = again()
        except (LearnerRaisedError, NotUnderstoodError):
            return verdict
        run = [place for place in some if place.key in ran]
        if some is not makes and any(not place.makes for place in run) and all(one.ok for one in found.reports[:1]):
            return _rounded(verdict, f"{_lines(run)} float32; with float64 in its place, all agree")
        if run and (found.status == 0 or some is places):
            note = f"note: {_lines(run)} float32: compared with float64 in its place, as rounding hides the differences"
            return Verdict(found.status, f"{found.text}\n{note}", found.reports, found.learner)
    return verdict


def _rounded(verdict: Verdict, sentence: str) -> Verdict:
    if not verdict.reports:
        return Verdict(1, f"{verdict.text}\n-> {sentence}")
    report = verdict.reports[-1]
    *others, last = report.suspects(report) or [""]
    report.suspects = lambda _: [*others, f"{last}: {sentence}" if last else sentence]
    return Verdict(1, str(report), verdict.reports, verdict.learner)


def _lines(places: list[_Place]) -> str:
    lines = sorted({place.dtype.lineno for place in places})
    return f"line {lines[0]} computes in" if len(lines) == 1 else f"lines {', '.join(map(str, lines))} compute in"


@contextlib.contextmanager
def _in_float64(places: list[_Place]) -> Iterator[set[tuple[str, int]]]:
    """Let functions compute in float64; collect the files and the first lines of those that run."""
    ran: set[tuple[str, int]] = set()

    def watch(frame: FrameType, event: str, argument: object) -> None:
        ran.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    before = sys.gettrace()
    with contextlib.ExitStack() as stack:
        for function in {place.function for place in places}:
            own = [place for place in places if place.function is function]
            instead = {place.dtype: place.instead for place in own}
            stack.enter_context(rewritten.rewritten(function, own[0].tree, instead))
        sys.settrace(watch)
        stack.callback(sys.settrace, before)
        yield ran


def _places(function: FunctionType) -> Iterator[_Place]:
    tree = rewritten.parsed(function)
    constructs = function.__name__ == "__init__"
    for call in ast.walk(tree) if tree is not None else ():
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        of, name = call.func.value, call.func.attr
        is_numpy = isinstance(of, ast.Name) and function.__globals__.get(of.id) is np
        if is_numpy and _is_float32(call.func, function) and call.args:  # np.float32(x)
            yield _Place(function, tree, call.func, ast.Attribute(of, "float64", ast.Load()), constructs)
        makes = is_numpy and name in MAKING
        if makes or name == "astype" or (is_numpy and name in CONVERTING):
            for dtype in (*call.args, *(one.value for one in call.keywords if one.arg == "dtype")):
                if _is_float32(dtype, function):
                    yield _Place(function, tree, dtype, ast.Constant("float64"), makes or constructs)


def _is_float32(dtype: ast.expr, function: FunctionType) -> bool:
    if isinstance(dtype, ast.Constant):
        return isinstance(dtype.value, str) and dtype.value in SPELLINGS
    if isinstance(dtype, ast.Name):
        return function.__globals__.get(dtype.id) is np.float32
    of = dtype.value if isinstance(dtype, ast.Attribute) else None
    is_numpy = isinstance(of, ast.Name) and function.__globals__.get(of.id) is np
    return is_numpy and getattr(np, dtype.attr, None) is np.float32
