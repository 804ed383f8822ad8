"""The learner's functions with a part of their code replaced, as a small number by 0 or a clip by what it clips."""

import ast
import contextlib
import copy
import functools
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType


def functions(folder: Path) -> Iterator[FunctionType]:
    """Yield the functions and methods of the files in a folder that are loaded."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is not None and folder in _folders_around(file):
            yield from functions_of(module)


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Yield a file's functions and methods.

    With the variables of a scope around it, a function's code cannot be replaced.
    """
    for thing in list(vars(module).values()):
        for member in vars(thing).values() if isinstance(thing, type) else [thing]:
            one = member.__func__ if isinstance(member, staticmethod) else member
            own = isinstance(one, FunctionType) and one.__module__ == module.__name__
            if own and not one.__code__.co_freevars and one.__name__ != "<lambda>":
                yield one


@functools.cache
def _folders_around(file: str) -> frozenset[Path]:
    # Some thousand modules are loaded, and to resolve a path is a question to the file system for each of its parts.
    return frozenset(Path(file).resolve().parents)


def parsed(function: FunctionType) -> ast.FunctionDef | None:
    """Return a function's tree, with the lines of its file, and without decorators; None if it has none."""
    try:
        lines, first = inspect.getsourcelines(function.__code__)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, SyntaxError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    ast.increment_lineno(tree, first - 1)
    tree.decorator_list = []
    return tree


@contextlib.contextmanager
def rewritten(function: FunctionType, tree: ast.FunctionDef, instead: dict[ast.expr, ast.expr]) -> Iterator[None]:
    """Let a function run with other expressions in the place of some in its tree."""
    code = function.__code__
    kept: dict[int, ast.expr] = {id(one): one for one in instead}
    changed = _Replaced(instead).visit(copy.deepcopy(tree, kept))
    module = ast.fix_missing_locations(ast.Module([changed], type_ignores=[]))
    made = compile(module, code.co_filename, "exec").co_consts
    function.__code__ = next(one for one in made if isinstance(one, CodeType))
    try:
        yield
    finally:
        function.__code__ = code


class _Replaced(ast.NodeTransformer):
    def __init__(self, instead: dict[ast.expr, ast.expr]) -> None:
        self.instead = instead

    def visit(self, node: ast.AST) -> ast.AST:
        new = self.instead.get(node) if isinstance(node, ast.expr) else None
        return super().visit(node) if new is None else new
