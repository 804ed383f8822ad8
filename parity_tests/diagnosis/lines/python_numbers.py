"""Python's numbers on the tape: a forward may return ``float(np.mean(...))`` or ``loss.item()``, which leave it."""

import ast
import contextlib
import types
from collections.abc import Iterator

from parity_tests.diagnosis import rewritten


@contextlib.contextmanager
def on_tape(files: list[types.ModuleType]) -> Iterator[None]:
    """Let values stay on the tape where code of these files makes a Python number of them."""
    with contextlib.ExitStack() as stack:
        for function in (one for file in files for one in rewritten.functions_of(file)):
            tree = rewritten.parsed(function)
            calls = list(_conversions(tree)) if tree is not None else []
            instead = {call: ast.BinOp(_converted(call), ast.Add(), ast.Constant(0.0)) for call in calls}
            if instead:
                stack.enter_context(rewritten.rewritten(function, tree, instead))
        yield


def _conversions(tree: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and not call.keywords and _converted(call) is not None:
            yield call


def _converted(call: ast.Call) -> ast.expr | None:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "item" and not call.args:
        return call.func.value
    is_float = isinstance(call.func, ast.Name) and call.func.id == "float" and len(call.args) == 1
    return call.args[0] if is_float and not isinstance(call.args[0], ast.Constant) else None  # float("inf")
