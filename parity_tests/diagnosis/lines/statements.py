"""The statements of a function by line: what they compute, and which names they use."""

import ast
import functools
import inspect
import textwrap
import types

COMPOUND = (ast.FunctionDef, ast.For, ast.If, ast.With, ast.While, ast.Try)


@functools.lru_cache(maxsize=256)
def at(code: types.CodeType, line: int) -> ast.AST | None:
    """Return the statement in a line of a function; for a loop, what it runs over."""
    try:
        source, start = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(source)))
    except (OSError, SyntaxError):
        return None
    wanted = line - start + 1
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and node.lineno == wanted:
            return node.iter
        simple = isinstance(node, ast.stmt) and not isinstance(node, COMPOUND)
        if simple and node.lineno <= wanted <= (node.end_lineno or node.lineno):
            return node
    return None


@functools.lru_cache(maxsize=256)
def is_loop(code: types.CodeType, line: int) -> bool:
    """Return whether a line begins a loop."""
    try:
        source, start = inspect.getsourcelines(code)
    except OSError:
        return False
    return source[line - start].lstrip().startswith("for ")


def part(statement: ast.AST, number: int | None) -> ast.AST:
    """Return one element of the tuple that a statement returns; the statement itself if it returns no tuple."""
    value = getattr(statement, "value", None)
    return value.elts[number] if number is not None and isinstance(value, ast.Tuple) else statement


def made_for(statement: ast.AST | None, target: str) -> ast.AST | None:
    """Return what is assigned to a name in ``a, b = x, y``, or to a key in ``g = {"a": x}``; else the statement.

    The dictionary may be returned as it is, or beside other values.
    """
    value = statement.value if isinstance(statement, ast.Assign | ast.Return) else None
    if isinstance(value, ast.Tuple) and isinstance(statement, ast.Assign):
        for one in statement.targets:
            if isinstance(one, ast.Tuple) and len(one.elts) == len(value.elts):
                for element, made in zip(one.elts, value.elts, strict=True):
                    if ast.unparse(element) == target:
                        return made
    for one in value.elts if isinstance(value, ast.Tuple) else [value]:
        for key, made in _items(one):
            if target.endswith(f"[{key}]"):
                return made
    return statement


def _items(made: ast.AST | None) -> list[tuple[str, ast.expr]]:
    if isinstance(made, ast.Dict):
        return [(ast.unparse(key), one) for key, one in zip(made.keys, made.values, strict=True) if key is not None]
    if isinstance(made, ast.Call) and ast.unparse(made.func) == "dict":
        return [(repr(one.arg), one.value) for one in made.keywords]
    return []


@functools.lru_cache(maxsize=1024)
def names(code: types.CodeType, line: int, number: int | None = None, target: str = "") -> frozenset[str]:
    """Return the names and attributes that a line reads, for one of its targets if it has several."""
    statement = made_for(at(code, line), target)
    found = set()
    for node in ast.walk(part(statement, number)) if statement is not None else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    return frozenset(found)


def adds_to(code: types.CodeType, line: int, name: str) -> bool:
    """Return whether a line changes what a name stands for: a part of it, or by an operation such as ``+=``."""
    statement = at(code, line)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    changed = [one.value for one in targets if isinstance(one, ast.Subscript)]
    changed += [statement.target] if isinstance(statement, ast.AugAssign) else []
    return any(ast.unparse(one) == name for one in changed) or name in names(code, line)


def assigns(code: types.CodeType, line: int, name: str) -> bool:
    """Return whether a line itself changes an attribute or an item of one, which what it calls may change, too."""
    statement = at(code, line)
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    base = name.partition("[")[0]
    written = [node for one in targets if one is not None for node in ast.walk(one)]
    return any(isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) == base for node in written)


def assigns_a_name(code: types.CodeType, line: int) -> bool:
    """Return whether a line assigns what has a name already."""
    statement = at(code, line)
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name | ast.Attribute)


def changes_items(code: types.CodeType, line: int) -> bool:
    """Return whether a line changes items of an array, as ``p[rows, y] -= 1`` does."""
    statement = at(code, line)
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return any(isinstance(one, ast.Subscript) for one in targets)


def is_addition(code: types.CodeType, line: int) -> bool:
    """Return whether a line adds to what was there before, by ``+=``."""
    statement = at(code, line)
    return isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)


def returns_several(code: types.CodeType, line: int) -> bool:
    """Return whether a line returns several values."""
    statement = at(code, line)
    return isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple)


def returns_a_name(code: types.CodeType, line: int, number: int | None) -> bool:
    """Return whether a line returns what was computed before: a name, or an attribute."""
    statement = at(code, line)
    returned = part(statement, number) if isinstance(statement, ast.Return) else None
    returned = returned.value if isinstance(returned, ast.Return) else returned
    return isinstance(returned, ast.Name | ast.Attribute)


def expression(code: types.CodeType, line: int, number: int | None, target: str) -> types.CodeType | None:
    """Return the right-hand side of the statement in a line, or what it gives one target, compiled."""
    statement = at(code, line)
    if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Return) or statement.value is None:
        return None
    value = made_for(statement, target)
    value = part(statement, number) if value is statement else value
    value = statement.value if value is statement else value
    return compile(ast.Expression(value), "<a line of backward>", "eval")
