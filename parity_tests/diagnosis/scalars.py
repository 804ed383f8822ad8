"""Check a class of numbers that record their operations, like micrograd's ``Value``.

Each operation runs on numbers of its own; the gradient that ``backward`` leaves in the operands is compared with finite
differences of the operation. Then come expressions that use a value twice, where gradients add, and in which backward
has to run in reverse topological order.
"""

import ast
import inspect
import operator
import textwrap
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.reading.running import NotUnderstoodError, Stage

STEP = 2.0**-17
POINTS = ((0.75, 1.5), (1.25, -0.625), (0.375, 2.25), (-1.125, 0.875))
BINARY = {"__add__": operator.add, "__sub__": operator.sub, "__mul__": operator.mul, "__truediv__": operator.truediv}
SIGNS = {"__add__": "a + b", "__sub__": "a - b", "__mul__": "a * b", "__truediv__": "a / b", "__neg__": "-a"}
NOT_OPERATIONS = ("backward", "backprop", "zero_grad", "zero", "item", "detach", "numpy", "parameters", "step")


def is_scalar(thing: object) -> bool:
    """Return whether a class holds one number and its gradient."""
    if not isinstance(thing, type) or not hasattr(thing, "backward") or hasattr(thing, "forward"):
        return False
    try:
        made = thing(0.5)
    except Exception:
        return False
    return isinstance(getattr(made, "data", None), float) and isinstance(getattr(made, "grad", None), int | float)


def examine(cls: type, stage: Stage) -> tuple[int, str]:
    """Return the status and the report on each operation of a class of scalars."""
    lines, wrong = [f"{cls.__name__}, a number that remembers its operations, against finite differences", ""], []
    for name, method, count, operation in _operations(cls):
        with stage(name):
            fault = _fault(cls, operation, count)
        lines.append(f"  {name}: {'agrees' if fault is None else fault}")
        if fault is not None:
            wrong.append(where_written(cls, method))
    if len(lines) == 2:
        raise NotUnderstoodError(f"{cls.__name__} has no operations that could be run")
    if not wrong:
        return 0, "\n".join([*lines, "", "All agree."])
    return 1, "\n".join([*lines, "", *dict.fromkeys(place for place in wrong if place)])


def _operations(cls: type) -> Iterator[tuple[str, str, int, Callable]]:
    for method, operation in BINARY.items():
        if method in vars(cls):
            yield SIGNS[method], method, 2, operation
    if "__neg__" in vars(cls):
        yield SIGNS["__neg__"], "__neg__", 1, operator.neg
    if "__pow__" in vars(cls):
        yield "a ** 3", "__pow__", 1, lambda a: a**3
    for name, value in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_") and name not in NOT_OPERATIONS and len(inspect.signature(value).parameters) == 1:
            yield f"a.{name}()", name, 1, lambda a, name=name: getattr(a, name)()
    one = next((name for name in ("__mul__", "__add__") if name in vars(cls)), None)
    if one is not None:
        two = BINARY[one]
        sign = "*" if one == "__mul__" else "+"
        yield f"a {sign} a, a value used twice", one, 1, lambda a: two(a, a)
        yield (
            f"c {sign} (c {sign} b) with c = a {sign} b, a result used twice",
            "",
            2,
            lambda a, b: shared(two, a, b),
        )


def shared(two: Callable, a: object, b: object) -> object:
    """Return an operation of two operands on a result that is used twice."""
    c = two(a, b)
    return two(c, two(c, b))


def _fault(cls: type, operation: Callable, count: int) -> str | None:
    """Return what is wrong with the gradients of an operation; None if they agree wherever it runs."""
    tried = 0
    found = []
    for point in POINTS:
        values = [float(v) for v in point[:count]]
        try:
            slopes = _slopes(cls, operation, values)
        except (ValueError, OverflowError, ZeroDivisionError):
            continue  # a logarithm of a negative number
        leaves = [cls(v) for v in values]
        made = operation(*leaves)
        made.backward()
        tried += 1
        found.append((values, float(made.data), slopes, [float(leaf.grad) for leaf in leaves]))
    if not tried:
        return "could not be run on any of the numbers tried"
    for values, _, slopes, grads in found:
        for index, (slope, grad) in enumerate(zip(slopes, grads, strict=True)):
            if not abs(grad - slope) <= 1e-6 * (1 + abs(slope)):
                held = ", ".join(f"{name} = {v:g}" for name, v in zip("ab", values, strict=False))
                letter = "ab"[index]
                return f"the gradient of {letter} is {grad:.6g} at {held}, expected {slope:.6g}{_named(found, index)}"
    return None


def _slopes(cls: type, operation: Callable, values: list[float]) -> list[float]:
    found = []
    for index in range(len(values)):
        slopes = []
        for step in (STEP, STEP / 2):
            ends = []
            for sign in (1, -1):
                moved = [v + sign * step * (i == index) for i, v in enumerate(values)]
                ends.append(float(operation(*map(cls, moved)).data))
            slopes.append((ends[0] - ends[1]) / (2 * step))
        found.append((4 * slopes[1] - slopes[0]) / 3)
    return found


def _named(found: list[tuple[list[float], float, list[float], list[float]]], index: int) -> str:
    # A guess has to fit at all points.
    guesses: dict[str, Callable[[list[float], float, float], float]] = {
        "the sign is flipped": lambda v, y, s: -s,
        "half of what it should be: assigned where it has to be added (+=), or a 2 is lost": lambda v, y, s: s / 2,
        "twice what it should be": lambda v, y, s: 2 * s,
        "it is 1; the operation's own derivative is left out": lambda v, y, s: 1.0,
        "it stays 0": lambda v, y, s: 0.0,
        "it is the operand itself": lambda v, y, s: v[index],
        "it is the other operand": lambda v, y, s: v[1 - index] if len(v) > 1 else np.nan,
        "it is the result": lambda v, y, s: y,
        "it is 1 - y, y the result; its square is missing": lambda v, y, s: 1 - y,
        "it is y (1 - y) of the result": lambda v, y, s: y * (1 - y),
        "it is a (1 - a) with the operand a; use the result": lambda v, y, s: v[index] * (1 - v[index]),
        "it is 1 - a^2 with the operand a; use the result": lambda v, y, s: 1 - v[index] ** 2,
        "the denominator's square is missing": lambda v, y, s: -1.0 / v[1] if len(v) > 1 and index == 1 else np.nan,
    }
    for words, guess in guesses.items():
        if all(abs(grads[index] - guess(values, y, slopes[index])) < 1e-6 for values, y, slopes, grads in found):
            return f" -> {words}"
    return ""


def where_written(cls: type, method: str) -> str:
    """Return the lines of a method that write a gradient, as a report shows them; "" if there are none."""
    function = vars(cls).get(method)
    try:
        source, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(source)))
    except (OSError, TypeError, SyntaxError):
        return ""
    rows = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if any(isinstance(part, ast.Attribute) and part.attr == "grad" for part in ast.walk(target))
    ]
    shown = [f"> {start + row - 1:4}  {source[row - 1].strip()}" for row in sorted(set(rows))]
    return "\n".join([f"{cls.__name__}.{method}:", *shown]) if shown else ""
