"""Gradients that backward clips at its end, ``np.clip(dW, -5, 5, out=dW)``: they are compared as they are before.

Such a clip is meant: it keeps a step small, and is no part of the derivative. It is told from others by what it does:
forward gives the same without it, the gradients of inputs stay, and each of those of parameters is cut off at a limit.
The clip in the derivative of Huber's loss is none.
"""

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np

from parity_tests.diagnosis import larger_upstream, rewritten
from parity_tests.diagnosis.clipping import is_cut
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError


@dataclass(eq=False)
class Clip:
    """A call of ``clip`` with limits of both signs, and what it clips."""

    function: FunctionType
    tree: ast.FunctionDef
    call: ast.Call
    clipped: ast.expr
    limit: str

    @property
    def instead(self) -> ast.expr:
        """What the call is without the clip, a new array as before."""
        writes = any(one.arg == "out" for one in self.call.keywords)
        return self.clipped if writes else ast.BinOp(self.clipped, ast.Add(), ast.Constant(0))


@dataclass
class Clips:
    """The clips that the usual numbers reach."""

    reached: list[Clip]

    @property
    def words(self) -> str:
        """What there is to say about them."""
        lines = sorted({one.call.lineno for one in self.reached})
        limits = " and ".join(sorted({f"±{one.limit}" for one in self.reached}))
        where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
        return f"gradients are clipped to {limits} ({where}): they are compared as they are before"

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """Let the functions run without them."""
        with contextlib.ExitStack() as stack:
            for function in {one.function for one in self.reached}:
                own = [one for one in self.reached if one.function is function]
                instead = {one.call: one.instead for one in own}
                stack.enter_context(rewritten.rewritten(function, own[0].tree, instead))
            yield


def find(learner: Learner, inputs: tuple[np.ndarray, ...], folder: Path) -> Clips | None:
    """Return the clips of the files in a folder that cut off gradients of parameters, None if there are none."""
    reached = []
    before = None
    for one in (clip for function in rewritten.functions(folder) for clip in _clips(function)):
        before = before or _results(learner, inputs)
        try:
            with Clips([one]).left_out():
                without = _results(learner, inputs)
        except LearnerRaisedError:
            continue
        if _is_of_gradients(before, without):
            reached.append(one)
    return Clips(reached) if reached else None


def _results(learner: Learner, inputs: tuple[np.ndarray, ...]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    grads = larger_upstream.gradients(learner, inputs, 1.0)
    return [np.array(y) for y in learner.outputs], grads


def _is_of_gradients(before: tuple, without: tuple) -> bool:
    (outputs, grads), (same_outputs, free) = before, without
    if grads.keys() != free.keys() or not all(map(np.array_equal, outputs, same_outputs)):
        return False
    cut = [name for name in grads if not np.array_equal(grads[name], free[name])]
    if not cut or any(name.startswith("grad_input") for name in cut):
        return False
    return all(_is_cut(grads[name], free[name]) for name in cut)


def _is_cut(got: np.ndarray, free: np.ndarray) -> bool:
    return got.shape == free.shape and is_cut(got, free, np.abs(got).max())


def _clips(function: FunctionType) -> Iterator[Clip]:
    tree = rewritten.parsed(function)
    for call in ast.walk(tree) if tree is not None else ():
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "clip"):
            continue
        named = {one.arg: one.value for one in call.keywords}
        of = call.func.value
        is_numpy = isinstance(of, ast.Name) and isinstance(function.__globals__.get(of.id), ModuleType)
        clipped, *limits = call.args if is_numpy and call.args else [of, *call.args]
        limits += [named[key] for key in ("a_min", "min", "a_max", "max") if key in named]
        out = named.get("out", clipped)
        if len(limits) == 2 and _is_minus(*limits) and ast.unparse(out) == ast.unparse(clipped):
            yield Clip(function, tree, call, clipped, ast.unparse(limits[1]))


def _is_minus(low: ast.expr, high: ast.expr) -> bool:
    return (
        isinstance(low, ast.UnaryOp) and isinstance(low.op, ast.USub) and ast.unparse(low.operand) == ast.unparse(high)
    )
