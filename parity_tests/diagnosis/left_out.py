"""A small number that forward adds and backward leaves out, such as the 1e-07 of log(y + 1e-07).

In a logarithm it guards against log(0), and backward is meant as that of the loss without its guard. Anywhere else,
such as the eps of a normalization, backward is wrong without it.
"""

import ast
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

import numpy as np

from parity_tests.diagnosis import rewritten
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
        term = ast.unparse(self.terms[0])
        zero = ast.parse(f"(0.0 if isinstance({term}, float) and 0 < {term} <= {LARGEST} else {term})", mode="eval")
        with rewritten.rewritten(self.function, self.tree, dict.fromkeys(self.terms, zero.body)):
            yield


def find(learner: Learner, inputs: tuple[np.ndarray, ...], request: Request) -> LeftOut | None:
    """Return the small number of the file, or of one that it imports, with which all agree once it is 0."""
    for function in rewritten.functions(request.path.resolve().parent):
        for left in _small_terms(function):
            try:
                with left.as_zero():
                    report = check(learner, None, *inputs, seed=request.seed, strict=False)
            except LearnerRaisedError:
                continue
            if report.quantities and not report.differs:
                return left
    return None


def _small_terms(function: FunctionType) -> Iterator[LeftOut]:
    tree = rewritten.parsed(function)
    if tree is None:
        return
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
