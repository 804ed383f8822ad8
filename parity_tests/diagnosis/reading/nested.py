"""Values within a value that forward returns, as in ``out, (h, c)``, and arguments of backward that hold several."""

import ast
import functools
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator

import numpy as np


def leaves(value: object) -> list:
    """Return the arrays within a value, in order; the value itself if it is none that holds arrays."""
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inner, tuple | list) or not inner:
        return [value]
    found = [leaf for one in inner for leaf in leaves(one)]
    return found if all(hasattr(leaf, "shape") for leaf in found) else [value]


def like(value: object, grads: Iterator) -> object:
    """Return gradients in such a container as a value's."""
    if len(leaves(value)) == 1 and leaves(value)[0] is value:
        return next(grads)
    if isinstance(value, dict):
        return {key: like(one, grads) for key, one in value.items()}
    inner = [like(one, grads) for one in value]
    return type(value)(*inner) if hasattr(value, "_fields") else type(value)(inner)


def is_nest(value: object, inputs: list) -> bool:
    """Return whether a value holds arrays of floating-point numbers, none of them one of the inputs."""
    if not isinstance(value, tuple | list | dict):
        return False
    return all(
        isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" and not any(leaf is one for one in inputs)
        for leaf in leaves(value)
    )


def opened(function: Callable) -> frozenset[str]:
    """Return the names that a function takes apart: ``dh, dc = grads``, ``grads[0]``, ``grads["h"]``, ``grads.h``."""
    inner = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(inner, "__code__", None)
    return _opened_in(code) if code is not None else frozenset()


@functools.cache  # forward is called thousands of times
def _opened_in(code: types.CodeType) -> frozenset[str]:
    tree = parsed(code)
    return frozenset(name for node in ast.walk(tree) for name in _taken_apart(node)) if tree else frozenset()


def _taken_apart(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement or an expression takes apart."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
        yield from _held(node.value)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield from _held(node.value) if isinstance(node.slice.value, int | str) else ()
    elif isinstance(node, ast.Attribute) and not hasattr(np.ndarray, node.attr):
        yield from _held(node.value)


def _held(value: ast.AST) -> Iterator[str]:
    # ``grads``, ``grads[k]``, ``grads or (0, 0)``, ``grads if grads is not None else (0, 0)``
    if isinstance(value, ast.Name):
        yield value.id
    inner = {ast.Subscript: ["value"], ast.BoolOp: ["values"], ast.IfExp: ["body", "orelse"]}.get(type(value), [])
    for field in inner:
        held = getattr(value, field)
        for one in held if isinstance(held, list) else [held]:
            yield from _held(one)


def parsed(code: types.CodeType) -> ast.Module | None:
    """Return the syntax tree of a function's source, None where there is none."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
