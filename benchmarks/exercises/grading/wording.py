"""Say what is wrong with one array, using the names in the learner's file."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.exercises import cutting
from benchmarks.exercises.exercise import Derived
from benchmarks.exercises.grading.cases import Trial, is_rule, originals
from parity_tests.harness.trace import operands

SIDE, PLACE = "differs only where the input is", "differs only at"
"""What the diagnosis says about functions with branches (about others only by chance), and what the picture shows."""
UNEXPLAINED = "times what it should be"


def about_shape(name: str, value: Any, wanted: Any) -> str:
    """Return what a shape should be and how the wrong one may have come about; "" if it is right."""
    got, right = np.shape(value), np.shape(wanted)
    if got == right or not isinstance(value, np.ndarray):
        return ""
    of = name.removeprefix("grad_")
    said = f"{name} has the shape {got}; {of} has {right}, and so must its gradient."
    said = said if of != name else f"{name} has the shape {got}, not {right}."
    return " ".join(part for part in (said, _how(got, right, value.size)) if part)


def _how(got: tuple, right: tuple, size: int) -> str:
    if len(got) == len(right) > 1 and got == right[::-1]:
        return "It is transposed."
    if len(got) >= len(right) and size > np.prod(right) and _broadcasts(right, got):
        return "A broadcast becomes a sum: sum over the axes that were broadcast."
    if len(got) == len(right) and size == np.prod(right):
        return ""
    if [side for side in got if side != 1] == [side for side in right if side != 1]:
        return "keepdims=True keeps an axis that is summed over, with the length 1; without it, the axis is gone."
    if len(got) == len(right) and any(one == 1 != other for one, other in zip(got, right, strict=True)):
        return "Is the sum over the right axis?"
    return "Is the sum over the right axis?" if 0 < len(got) <= len(right) else ""


def _broadcasts(small: tuple, large: tuple) -> bool:
    padded = (1,) * (len(large) - len(small)) + small
    return all(one in (1, other) for one, other in zip(padded, large, strict=True))


def about_factor(value: Any, wanted: Any, trial: Trial) -> str:
    """Return the factor by which the whole array is off, and where it may come from; "" if there is no such factor."""
    value, wanted = np.asarray(value), np.asarray(wanted)
    if value.dtype.kind != "f" or value.shape != wanted.shape or (wanted != 0).sum() < 2:
        return ""
    if (value[wanted == 0] != 0).any():
        return ""
    ratio = value[wanted != 0] / wanted[wanted != 0]
    if np.ptp(ratio) > 1e-6 * np.abs(ratio).max() or not np.isfinite(ratio).all():
        return ""
    factor = float(ratio[0])
    if not factor:
        return "it is 0 everywhere"
    if np.isclose(factor, -1):
        return "the sign is flipped"
    sides = {side for one in trial.arguments if isinstance(one, np.ndarray) for side in one.shape}
    divisor = next((side for side in sorted(sides) if side > 2 and np.isclose(factor * side, 1)), 0)
    if divisor:
        return f"divided by {divisor}, the length of an axis: averaged instead of summed?"
    return f"it is {factor:.4g} {UNEXPLAINED}"


def arguments(exercise: Derived, trial: Trial) -> str:
    """Return what a function is called with: an array by its shape, an option by its value."""
    names = list(cutting.inspect.signature(originals(exercise)[0]).parameters)
    said = []
    for name, value in zip(names, trial.arguments, strict=False):
        if isinstance(value, np.ndarray):
            said.append(f"{name} {value.shape}")
        elif (
            not is_rule(exercise)
            and isinstance(value, (bool, int, float, str))
            and f"{name}={value}" not in trial.title.replace("'", "")
        ):
            said.append(f"{name}={round(value, 4) if isinstance(value, float) else repr(value)}")
    return ", ".join(said)


def in_the_files_names(exercise: Derived, sentence: str) -> str:
    """Return a sentence of the diagnosis with the names used in the learner's file."""
    pair = originals(exercise)
    upstream = next(iter(cutting.inspect.signature(pair[1]).parameters), "grad_y") if len(pair) > 1 else "grad_y"
    first = next((name for name in operands(cutting.derivation(exercise)) if name), "x")
    words: list[tuple[str, str]] = [(r"\bgrad_input\b", f"grad_{first}"), (r"\bgrad_output\b", upstream)]
    words += [(r"\by g\b", f"y {upstream}"), (r"\(1 - y\) g\b", f"(1 - y) {upstream}"), (r"\(g - ", f"({upstream} - ")]
    words += [(r"^output:", f"{upstream.removeprefix('grad_')}:"), (r"\bthe output\b", "forward's output")]
    for old, new in words:
        sentence = re.sub(old, new, sentence)
    return sentence


def of_forward(error: BaseException | None, forward: Callable) -> str:
    """Explain a name that backward does not know, if it is a variable of forward; return "" if it is not."""
    name = getattr(error, "name", None) if isinstance(error, NameError) else None
    code = getattr(forward, "__code__", None)
    if code is None or name not in code.co_varnames:
        return ""
    return f"{name} is a name of forward. Backward knows only its own arguments and what is in `saved`."
