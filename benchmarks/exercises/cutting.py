"""Source with blanks, cut on demand from the functions of `scratch` by the labels of their statements.

Nothing is stored, so no exercise can be out of date with the code it is cut from.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from types import ModuleType

from benchmarks.exercises.exercise import Derived, Find, Method, Write
from parity_tests.harness.derivation import Derivation, Statement
from parity_tests.harness.trace import derivation_of

BLANK = "..."


def derivation(exercise: Derived) -> Derivation:
    """Return the derivation that an exercise is about."""
    return derivation_of(exercise.function, exercise.module)


def cut_labels(exercise: Write) -> list[str]:
    """Return the labels of the statements that are left blank, in the order of the statements."""
    found = derivation(exercise)
    every = [one.label for one in (*found.forward, *found.backward) if one.label]
    wanted = exercise.blank.split()
    return [label for label in every if label in wanted or label[0] in wanted]


def targets(statement: Statement | ast.stmt) -> list[str]:
    """Return the names that a statement assigns, or, for a loop or a call, of the arrays it writes into."""
    node = getattr(statement, "node", statement)
    if isinstance(node, ast.Assign):
        return [one.id for one in ast.walk(node.targets[0]) if isinstance(one, ast.Name)]
    stored = [one.value for one in ast.walk(node) if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store)]
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    stored += [one.args[0] for one in calls if one.func.attr == "at"]
    roots = [next(part for part in ast.walk(one) if isinstance(part, ast.Name)) for one in stored]
    return list(dict.fromkeys(one.id for one in roots if one.id.startswith("grad_") or one.id == "y"))


def returned(function: ast.FunctionDef) -> list[str]:
    """Return the names that a function returns."""
    last = function.body[-1]
    parts = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    return [one.id for one in parts if isinstance(one, ast.Name)]


# A pair of functions, or an update rule.


def source_of(exercise: Derived) -> str:
    """Return the code of an exercise as the learner gets it."""
    if isinstance(exercise, Method):
        return _method(exercise)
    if isinstance(exercise, Find):
        return _put_together(exercise, _with_mistake(exercise))
    assert isinstance(exercise, Write)
    return _put_together(exercise, _with_blanks(exercise))


def solution_of(exercise: Derived) -> str:
    """Return the code as it stands in `scratch`."""
    if isinstance(exercise, Method):
        return f"{_class_imports(exercise)}\n\n\n{_text(exercise.source, _class(exercise))}\n"
    lines = inspect.getsource(exercise.source).splitlines()
    return _put_together(exercise, [lines[one.lineno - 1 : one.end_lineno] for one in functions(exercise)])


def functions(exercise: Derived) -> list[ast.FunctionDef]:
    """Return the nodes of the function and of its backward, if it has one."""
    tree = ast.parse(inspect.getsource(exercise.source))
    names = (exercise.function, f"{exercise.function}_backward")
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]


def _with_blanks(exercise: Write) -> list[list[str]]:
    found, cut = derivation(exercise), cut_labels(exercise)
    lines = inspect.getsource(exercise.source).splitlines()
    written = []
    for function in functions(exercise):
        own = found.forward if function.name == exercise.function else found.backward
        whole = own is found.backward and "B" in exercise.blank.split()
        wanted = set(returned(function)) if whole else None
        replaced, done = {}, set()
        for number, one in enumerate(own):
            if one.label not in cut:
                continue
            names = [name for name in targets(one) if name not in done and (wanted is None or name in wanted)]
            if wanted is not None and any(set(names) & set(targets(later)) for later in own[number + 1 :]):
                names = []  # it is made in several statements: the last one leaves the blank
            done |= set(names)
            shape = f"  # {one.shape}" if one.shape else ""
            replaced[one.line] = [f"    {name} = {BLANK}{shape}" for name in names]
        written.append(list(_lines(function, lines, own, replaced)))
    return written


def _with_mistake(exercise: Find) -> list[list[str]]:
    found = derivation(exercise)
    lines = inspect.getsource(exercise.source).splitlines()
    written = []
    for function in functions(exercise):
        own = found.forward if function.name == exercise.function else found.backward
        wrong = {one.line: _wrong(exercise, one) for one in own if one.label == exercise.label}
        written.append([_without_label(line) for line in _lines(function, lines, own, wrong)])
    return written


def _wrong(exercise: Find, statement: Statement) -> list[str]:
    shape = f"  # {statement.label} {statement.shape}" if statement.shape else ""
    first, *more = textwrap.indent(exercise.wrong, "    ").splitlines()
    return [first + shape, *more]


def _without_label(line: str) -> str:
    code, mark, comment = line.partition("  # ")
    label, _, shape = comment.partition(" ")
    if mark and label[:1] in "FBU" and label[1:2].isdigit():
        return f"{code}  # {shape}" if shape else code
    return line


def _lines(
    function: ast.FunctionDef, lines: list[str], statements: list[Statement], replaced: dict[int, list[str]]
) -> Iterator[str]:
    # Line numbers count from 1, and a statement may have several lines.
    ends = {one.line: one.node.end_lineno for one in statements}
    number = function.lineno
    while number <= function.end_lineno:
        if number in replaced:
            yield from replaced[number]
            number = ends[number]
        else:
            yield lines[number - 1]
        number += 1


def _put_together(exercise: Derived, written: list[list[str]]) -> str:
    nodes = functions(exercise)
    helpers = [node for node in _helpers(exercise.source, nodes) if node.name not in {one.name for one in nodes}]
    parts = [_imports(exercise.source, [*nodes, *helpers])]
    parts += [_text(exercise.source, helper) for helper in helpers]
    parts += ["\n".join(lines) for lines in written]
    return "\n\n\n".join(part for part in parts if part) + "\n"


# What else the code needs.


def _used(nodes: list[ast.AST]) -> set[str]:
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}


def _helpers(module: ModuleType, nodes: list[ast.FunctionDef]) -> list[ast.FunctionDef]:
    used = _used(nodes)
    return [
        node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.FunctionDef) and node.name in used
    ]


def _imports(module: ModuleType, nodes: list[ast.AST]) -> str:
    body, used = ast.parse(inspect.getsource(module)).body, _used(nodes)
    constants = [one for one in body if isinstance(one, ast.Assign) and used & _used(one.targets)]
    used |= _used(constants)
    found = []
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [one for one in node.names if (one.asname or one.name) in used]
            kept = ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, 0)
            found += [ast.unparse(kept)] if names else []
    standard = [line for line in found if not line.startswith(("import numpy", "from numpy", "from scratch"))]
    others = [line for line in found if line not in standard]
    text = "\n".join([*standard, *others])
    return "\n\n".join(part for part in (text, "\n".join(_text(module, one) for one in constants)) if part)


def _text(module: ModuleType, node: ast.stmt) -> str:
    return "\n".join(inspect.getsource(module).splitlines()[node.lineno - 1 : node.end_lineno])


# A class made of other layers.


def _class(exercise: Method) -> ast.ClassDef:
    tree = ast.parse(inspect.getsource(exercise.source))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == exercise.function)


def _method(exercise: Method) -> str:
    text = _text(exercise.source, _class(exercise))
    for here, there in exercise.replaces:
        assert text.count(here) == 1, (
            f"{exercise.name}: {here!r} stands {text.count(here)} times in {exercise.function}"
        )
        text = text.replace(here, there)
    return f"{_class_imports(exercise)}\n\n\n{text}\n"


def _class_imports(exercise: Method) -> str:
    # Include what the class needs from its own module: other layers defined there.
    node, tree = _class(exercise), ast.parse(inspect.getsource(exercise.source))
    own = [one.name for one in tree.body if isinstance(one, ast.ClassDef) and one.name in _used([node]) - {node.name}]
    lines = [_imports(exercise.source, [node])]
    return "\n".join([*lines, f"from {exercise.module} import {', '.join(own)}"] if own else lines)
