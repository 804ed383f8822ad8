"""How the statements of a derivation are related: what each computes, what it reads, and which F a B undoes."""

import ast
import inspect
import re
from dataclasses import dataclass

from parity_tests.harness.derivation import Derivation, Statement
from parity_tests.harness.execution import in_columns


@dataclass(frozen=True)
class Line:
    """A labelled statement beside its equation.

    Attributes
    ----------
    statement : Statement
    equation, remark : str
        The columns of the docstring left and right of the shape.
    makes : tuple of str
        The names that it assigns, or writes into.
    reads : tuple of str
        The quantities that it reads.
    reads_labels : tuple of str
        The labels of the statements that made them.
    undoes : tuple of str
        For a B, the labels of the F's that it undoes.
    """

    statement: Statement
    equation: str
    remark: str
    makes: tuple[str, ...]
    reads: tuple[str, ...]
    reads_labels: tuple[str, ...]
    undoes: tuple[str, ...]


def lines_of(derivation: Derivation) -> dict[str, Line]:
    """Return the lines of a derivation, by their labels, in the order of the code."""
    found: dict[str, Line] = {}
    made: dict[str, list[str]] = {}
    given = arguments(derivation)
    forward = [one.label for one in derivation.forward if one.label]
    for statement in (*derivation.forward, *derivation.backward):
        label = statement.label
        if not label:
            continue
        text = derivation.equation(label).text
        equation, remark = in_columns(text, derivation.module.__doc__, statement.shape)
        makes = assigned(statement.node)
        reads = [name for name in _loaded(statement.node) if name in made or name in given]
        labels = [made[name][-1] for name in reads if name in made and made[name][-1] != label]
        # A remark begins with what is undone: "F6 and F3: centred is used twice".
        said = re.findall(r"F\d+", remark.partition(":")[0]) if label[0] == "B" else []
        same = [f"F{re.sub(r'[^0-9]', '', label)}"] if label[0] == "B" else []
        undoes = tuple(one for one in dict.fromkeys(same + said) if one in forward)
        found[label] = Line(statement, equation, remark, makes, tuple(reads), tuple(dict.fromkeys(labels)), undoes)
        for name in makes:
            made.setdefault(name, []).append(label)
    return found


def arguments(derivation: Derivation) -> tuple[str, ...]:
    """Return the arguments of forward, then the upstream gradients that backward takes."""
    forward = tuple(inspect.signature(getattr(derivation.module, derivation.name)).parameters)
    backward = getattr(derivation.module, f"{derivation.name}_backward", None)
    upstream = tuple(inspect.signature(backward).parameters) if backward else ()
    return (*forward, *(name for name in upstream if name.startswith("grad_")))


def names_of(derivation: Derivation) -> frozenset[str]:
    """Return every quantity that a derivation knows by name."""
    statements = (*derivation.forward, *derivation.backward)
    return frozenset(arguments(derivation)) | {name for one in statements for name in assigned(one.node)}


def assigned(node: ast.stmt) -> tuple[str, ...]:
    """Return the names that a statement binds or writes into, except a loop's own variables."""
    found, own = [], set()
    for one in ast.walk(node):
        if isinstance(one, ast.For | ast.comprehension):
            own |= {name.id for name in ast.walk(one.target) if isinstance(name, ast.Name)}
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.append(one.id)
        elif isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store):
            found.append(_root(one.value))
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "at":
            found.append(_root(one.args[0]))
    if isinstance(node, ast.For):  # what its body binds is of no use behind it
        bound = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        found = [name for name in found if name not in bound]
    return tuple(dict.fromkeys(name for name in found if name and name not in own))


def _root(node: ast.expr) -> str:
    return next((one.id for one in ast.walk(node) if isinstance(one, ast.Name)), "")


def _loaded(node: ast.stmt) -> list[str]:
    names = [one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
    return list(dict.fromkeys(one.id for one in sorted(names, key=lambda one: (one.lineno, one.col_offset))))
