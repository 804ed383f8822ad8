"""The statements of a derivation, executed one after the other: what `parity_tests.harness.trace` is made of."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity_tests.harness.derivation import Derivation, Statement


@dataclass
class Share:
    """What one use of a quantity adds to its gradient; see `parity_tests.harness.trace`."""

    through: str
    operation: str
    gradient: np.ndarray
    counted: bool = True


@dataclass
class Step:
    """A statement, executed; see `parity_tests.harness.trace`."""

    label: str
    equation: str
    remark: str
    shape: str | None
    statement: str
    line: int
    values: dict[str, Any]
    of: str | None = None
    tape: np.ndarray | None = None
    verdict: str | None = None
    contributions: list[Share] = field(default_factory=list)


class Run:
    """The statements of a function, executed one after the other in one namespace."""

    def __init__(self, derivation: Derivation, arguments: dict[str, Any]) -> None:
        self.derivation, self.result = derivation, None
        self.namespace = {**vars(derivation.module), **arguments}
        self._seen = {name: snapshot(value) for name, value in self.namespace.items()}

    @np.errstate(all="ignore")
    def execute(self, statement: Statement) -> Step | None:
        """Execute a statement; return the step if it has a label. A ``return`` sets `result`."""
        node = statement.node
        if isinstance(node, ast.Return):
            code = compile(ast.Expression(node.value), self.derivation.module.__file__, "eval")
            self.result = eval(code, self.namespace)
            return None
        exec(compile(ast.Module([node], []), self.derivation.module.__file__, "exec"), self.namespace)
        changed = {name: value for name, value in self.namespace.items() if self._is_new(name, value)}
        self._seen |= {name: snapshot(value) for name, value in changed.items()}
        if statement.label is None:
            return None
        names = [name for name in changed if name not in _helpers(node)]
        shown = dict.fromkeys([*names, *_written_to(node)])
        # A later statement may append to a list, too, which `_seen` does not notice: the object is the same.
        values = {name: list(one) if type(one := self.namespace[name]) is list else snapshot(one) for name in shown}
        text = self.derivation.equation(statement.label).text
        equation, remark = in_columns(text, self.derivation.module.__doc__, statement.shape)
        return Step(statement.label, equation, remark, statement.shape, statement.source, statement.line, values)

    def _is_new(self, name: str, value: Any) -> bool:
        if name == "__builtins__":
            return False
        old = self._seen.get(name, self)
        if isinstance(value, np.ndarray) and isinstance(old, np.ndarray):
            return value.dtype != old.dtype or not np.array_equal(value, old, equal_nan=value.dtype.kind == "f")
        return old is not value


def snapshot(value: Any) -> Any:
    """Return a copy of an array, since a later statement may write into it, and anything else as it is."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _helpers(node: ast.stmt) -> set[str]:
    """Return the names that a loop uses for itself: its variables, and those that are bound in its body."""
    if not isinstance(node, ast.For):
        return set()
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _written_to(node: ast.stmt) -> list[str]:
    """Return the names of the arrays that a loop writes into, by an index or by np.add.at."""
    stored = [one.value for one in ast.walk(node) if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store)]
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    stored += [one.args[0] for one in calls if one.func.attr == "at"]
    roots = [next(part for part in ast.walk(one) if isinstance(part, ast.Name)) for one in stored]
    return [one.id for one in roots]


def in_columns(text: str, docstring: str, shape: str | None) -> tuple[str, str]:
    """Return an equation without its shape, and the remark after it: the columns left and right of the shape."""
    first, *more = text.split("\n")
    indent = next(len(line) - len(first) for line in docstring.splitlines() if line.endswith(first))
    lines = [" " * indent + first, *more]
    found = _first(f" {re.escape(str(shape))}( |$)", lines) or _first(r"(?<=\S) {3,}(?=\S)", lines)
    if found is None:
        return " ".join(text.split()), ""
    equation, remark = [], []
    for line in lines:
        if line == found.string:
            said = line[: found.start()].rstrip()
            equation.append(line[: found.end()] if said.endswith(" as") else said)  # "as (N, O)" says what it becomes
            remark.append(line[found.end() :])
            continue
        for part in re.finditer(r"\S+(?: \S+)*", line):
            (equation if part.start() < found.start() else remark).append(part.group())
    return " ".join(" ".join(equation).split()), " ".join(" ".join(remark).split())


def _first(pattern: str, lines: list[str]) -> re.Match | None:
    return next((match for line in lines if (match := re.search(pattern, line))), None)
