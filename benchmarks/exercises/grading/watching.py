"""Watch a learner's function run line by line: what each line assigns, and where it stops."""

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.exercises.grading.limits import CALL, limited


@dataclass
class Run:
    """What a call of a function did.

    Attributes
    ----------
    returned : object
        None if it raised.
    error : BaseException or None
    line : int
        The last line of the function that ran.
    assigned : dict of str to int
        The line that last assigned each name, in the order in which the lines ran.
    values : dict
        The final value of each name.
    """

    returned: Any = None
    error: BaseException | None = None
    line: int = 0
    assigned: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def watched(function: Callable, *arguments: Any, **options: Any) -> Run:
    """Call a function and watch its lines; keep what it raises, except an interruption or a time limit."""
    run, code = Run(), getattr(function, "__code__", None)
    before: dict[str, Any] = {}

    def look(frame: types.FrameType) -> None:
        for name, value in frame.f_locals.items():
            old = before.get(name)
            if not _same(old, value):
                run.assigned.pop(name, None)
                run.assigned[name] = run.line
            before[name] = value.copy() if isinstance(value, np.ndarray) else value

    def trace(frame: types.FrameType, event: str, argument: Any) -> Callable | None:
        if frame.f_code is not code:
            return None
        if event == "call":
            before.update(frame.f_locals)
        elif event in ("line", "return"):
            look(frame)
            run.values = dict(frame.f_locals)
        run.line = frame.f_lineno
        return trace

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        with np.errstate(all="ignore"), limited(CALL):
            run.returned = function(*arguments, **options)
    except (Exception, SystemExit) as error:
        run.error = error
    finally:
        sys.settrace(outer)
    return run


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and np.array_equal(
            one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f"
        )
    return one is other


def agree(one: Any, other: Any) -> bool:
    """Return whether two values, or sequences of them, are equal up to rounding."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(agree, one, other))
    try:
        one, other = np.asarray(one), np.asarray(other)
        if one.dtype.kind not in "fiub" or other.dtype.kind not in "fiub" or one.shape != other.shape:
            return False
        size = np.abs(other[np.isfinite(other)]).max(initial=0) if other.dtype.kind == "f" else 0
        return bool(np.allclose(one, other, rtol=1e-7, atol=1e-9 * size, equal_nan=True))
    except (TypeError, ValueError):
        return False
