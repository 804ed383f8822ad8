"""Derivations as data: the labelled equations of a docstring, and the statements that they belong to.

A file of `scratch.nn` or `scratch.optim` says everything twice. Its docstring has the equations, its plain functions
have the statements, and both carry the same labels:

    B7a grad_weight = sum_m grad_y normalized       (C,)    F7: a product, times the other factor; broadcast: a sum
    grad_weight = (grad_y * normalized).sum(axis=0)  # B7a (C,)

F1, F2, ... are the forward, in order. B3 undoes F3; B3a and B3b do so for two of its operands. U1, U2, ... are an
update rule. Where a file has several derivations, each begins with a line whose first word is its function's name.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, field
from types import ModuleType

import scratch.distributions
import scratch.nn
import scratch.optim

LABEL = re.compile(r"^(?P<indent> +)(?P<label>[FBU]\d+[a-z]?) +(?P<text>\S.*)$")
COMMENT = re.compile(r"#\s*(?P<label>[FBU]\d+[a-z]?)\b\s*(?P<shape>\(.*\))?")


@dataclass
class Equation:
    """A labelled line of a docstring, with the lines that continue it.

    Attributes
    ----------
    label : str
        "F1", "B7a", "U2".
    text : str
        What follows the label, with its lines unchanged.
    """

    label: str
    text: str


@dataclass
class Statement:
    """A statement of a plain function.

    Attributes
    ----------
    label : str or None
        None where it has no label.
    shape : str or None
        The shape that its comment gives, "(N, C)".
    source : str
        The statement without its comment.
    line : int
        Its first line in the file.
    node : ast.stmt
    """

    label: str | None
    shape: str | None
    source: str
    line: int
    node: ast.stmt


@dataclass
class Derivation:
    """One function's equations and statements, or those of a forward and its backward.

    Attributes
    ----------
    name : str
        The forward function's, or the update rule's.
    module : types.ModuleType
    equations : list of Equation
    forward, backward : list of Statement
        ``backward`` is empty for an update rule.
    """

    name: str
    module: ModuleType
    equations: list[Equation] = field(default_factory=list)
    forward: list[Statement] = field(default_factory=list)
    backward: list[Statement] = field(default_factory=list)

    def equation(self, label: str) -> Equation:
        """Return the equation of a label."""
        return next(one for one in self.equations if one.label == label)

    def statement(self, label: str) -> Statement:
        """Return the statement of a label."""
        return next(one for one in (*self.forward, *self.backward) if one.label == label)


def files() -> list[str]:
    """Return the modules that are written as derivations, whether or not they have labels."""
    packages = scratch.nn, scratch.optim, scratch.distributions
    found = [info.name for one in packages for info in pkgutil.walk_packages(one.__path__, f"{one.__name__}.")]
    return [*found, "scratch.policy_gradient"]


def derivations(module: ModuleType | str) -> tuple[Derivation, ...]:
    """Return the derivations in a file, in order: one for each pair of functions and for each update rule."""
    if isinstance(module, str):
        module = importlib.import_module(module)
    return _derivations(module, inspect.getsource(module))


@functools.cache  # grading an exercise asks for the same file hundreds of times
def _derivations(module: ModuleType, source: str) -> tuple[Derivation, ...]:
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    lines = source.splitlines()
    names = [
        name
        for name, node in functions.items()
        if f"{name}_backward" in functions or any((one.label or "F")[0] == "U" for one in _statements(node, lines))
    ]
    found = []
    for name, equations in zip(names, _equations(module.__doc__ or "", names), strict=True):
        backward = functions.get(f"{name}_backward")
        found.append(
            Derivation(
                name,
                module,
                equations,
                _statements(functions[name], lines),
                _statements(backward, lines) if backward else [],
            )
        )
    return tuple(found)


def _equations(docstring: str, names: list[str]) -> list[list[Equation]]:
    """Return the equations of each function; where there is only one function, all are its own."""
    found: dict[str, list[Equation]] = {name: [] for name in names}
    current = names[0] if len(names) == 1 else None
    last, indent = None, 0
    for line in docstring.splitlines():
        first = re.match(r"\w+", line)
        if first and first.group() in found and len(names) > 1:
            current, last = first.group(), None
            continue
        match = LABEL.match(line)
        if match and current is not None:
            last, indent = Equation(match["label"], match["text"]), len(match["indent"])
            found[current].append(last)
        elif last is not None and line.strip() and len(line) - len(line.lstrip()) > indent:
            last.text += "\n" + line
        else:
            last = None
    return list(found.values())


def _statements(function: ast.FunctionDef, lines: list[str]) -> list[Statement]:
    found = []
    for node in function.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        text = lines[node.lineno - 1 : node.end_lineno]
        comments = [match for line in text if (match := COMMENT.search(line))]
        source = "\n".join(line[function.col_offset + 4 :].split("  #")[0].rstrip() for line in text)
        label, shape = (comments[0]["label"], comments[0]["shape"]) if comments else (None, None)
        found.append(Statement(label, shape, source, node.lineno, node))
        assert len(comments) <= 1, f"{function.name}: {source!r} has several labels"
    return found
