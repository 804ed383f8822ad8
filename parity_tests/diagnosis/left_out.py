"""A small number that forward adds and backward leaves out, such as the 1e-07 of log(y + 1e-07).

In a logarithm it guards against log(0), and backward is meant as that of the loss without its guard. Anywhere else,
such as the eps of a normalization, backward is wrong without it.
"""

import ast
import contextlib
import copy
import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np

from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.request import Request
from parity_tests.harness.compare import check

LARGEST = 1e-4
NAMES = re.compile(r"(^|[._])(eps|epsilon|delta|tiny|small)\w*$", re.I)


@dataclass
class LeftOut:
    """A small number, or the name of one, and all the sums of a function that it is a term of."""

    function: FunctionType
    tree: ast.FunctionDef
    terms: list[ast.expr]
    guards_logarithm: bool

    @property
    def name(self) -> str:
        """What it is called, and where it is."""
        file = Path(self.function.__code__.co_filename).name
        return f"the {ast.unparse(self.terms[0])} that line {self.terms[0].lineno} of {file} adds"

    @property
    def words(self) -> str:
        """What there is to say about it."""
        if self.guards_logarithm:
            return f"{self.name} guards against log(0): backward is that of the loss without it"
        return (
            f"backward leaves out {self.name}: all agree once it is 0; differentiate with it, or leave it out of "
            "forward, too"
        )

    @contextlib.contextmanager
    def as_zero(self) -> Iterator[None]:
        """Let the function run with 0 in its place, if it is small there."""
        code = self.function.__code__
        self.function.__code__ = self._without(code)
        try:
            yield
        finally:
            self.function.__code__ = code

    def _without(self, code: CodeType) -> CodeType:
        term = ast.unparse(self.terms[0])
        zero = ast.parse(f"(0.0 if isinstance({term}, float) and 0 < {term} <= {LARGEST} else {term})", mode="eval")
        tree = _Replaced(self.terms, zero.body).visit(copy.deepcopy(self.tree, {id(one): one for one in self.terms}))
        module = ast.fix_missing_locations(ast.Module([tree], type_ignores=[]))
        made = compile(module, code.co_filename, "exec").co_consts
        return next(one for one in made if isinstance(one, CodeType))


def find(learner: Learner, inputs: tuple[np.ndarray, ...], request: Request) -> LeftOut | None:
    """Return the small number of the file, or of one that it imports, with which all agree once it is 0."""
    for function in _functions(request.path.resolve().parent):
        for left in _small_terms(function):
            try:
                with left.as_zero():
                    report = check(learner, None, *inputs, seed=request.seed, strict=False)
            except LearnerRaisedError:
                continue
            if report.quantities and not report.differs:
                return left
    return None


def _functions(folder: Path) -> Iterator[FunctionType]:
    # With the variables of a scope around it, a function's code cannot be replaced.
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is None or folder not in _folders_around(file):
            continue
        for thing in list(vars(module).values()):
            for one in vars(thing).values() if isinstance(thing, type) else [thing]:
                own = isinstance(one, FunctionType) and one.__module__ == module.__name__
                if own and not one.__code__.co_freevars and one.__name__ != "<lambda>":
                    yield one


@functools.cache
def _folders_around(file: str) -> frozenset[Path]:
    # Some thousand modules are loaded, and to resolve a path is a question to the file system for each of its parts.
    return frozenset(Path(file).resolve().parents)


def _small_terms(function: FunctionType) -> Iterator[LeftOut]:
    try:
        lines, first = inspect.getsourcelines(function.__code__)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, SyntaxError):
        return
    if not isinstance(tree, ast.FunctionDef):
        return
    ast.increment_lineno(tree, first - 1)
    tree.decorator_list = []
    in_logarithms = {id(node) for call in ast.walk(tree) if _is_logarithm(call) for node in ast.walk(call)}
    found: dict[tuple[str, bool], list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            for term in (node.right, node.left):
                guards = id(node) in in_logarithms
                if _may_be_small(term, guards):
                    found.setdefault((ast.unparse(term), guards), []).append(term)
    for (_, guards), terms in found.items():
        yield LeftOut(function, tree, terms, guards)


def _may_be_small(term: ast.expr, guards: bool) -> bool:
    if isinstance(term, ast.Constant):
        return isinstance(term.value, float) and 0 < term.value <= LARGEST
    is_name = isinstance(term, ast.Name | ast.Attribute)
    return is_name and (guards or NAMES.search(ast.unparse(term)) is not None)


def _is_logarithm(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("log", "log2", "log10")


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: list[ast.expr], new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if any(node is one for one in self.old) else super().visit(node)
