"""Which equations of our derivation belong to a wrong gradient: those that lead to it, and to nothing that agrees."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import scratch
from parity_tests.harness.derivation import Derivation, Statement
from parity_tests.harness.report import AGAIN, Report

ROOT = Path(scratch.__file__).parents[1]


def sentences(derivation: Derivation, report: Report) -> Iterator[str]:
    """Yield for each wrong gradient the equation that it must come from, or the labels of several."""
    file = Path(inspect.getfile(derivation.module)).relative_to(ROOT)
    agree = {one for q in report.quantities if q.ok for one in leading_to(derivation, _gradient(derivation, q.name))}
    for quantity in report.wrong:
        if quantity.name.endswith(AGAIN):
            continue
        labels = leading_to(derivation, _gradient(derivation, quantity.name))
        alone = [label for label in labels if label not in agree]
        if labels:
            yield f"{quantity.name} in our derivation, {file}: {_said(derivation, labels, alone)}"


def _said(derivation: Derivation, labels: list[str], alone: list[str]) -> str:
    shown = alone or labels
    if len(shown) == 1:
        return f"{shown[0]} {' '.join(derivation.equation(shown[0]).text.split())}"
    others = ", and to nothing that agrees" if alone and len(alone) < len(labels) else ""
    return f"{', '.join(shown[:-1])} and {shown[-1]} lead to it{others}"


def leading_to(derivation: Derivation, gradient: str) -> list[str]:
    """Return the labels of the statements of backward that a gradient comes from, in their order."""
    wanted, labels = {gradient}, []
    for label, read, written in reversed(list(_steps(derivation.backward))):
        if label and read and written & wanted:
            wanted |= read
            labels.append(label)
    return labels[::-1]


def _steps(backward: list[Statement]) -> Iterator[tuple[str | None, set[str], set[str]]]:
    """Yield each statement's label, the gradients that it reads, and those that it computes."""
    empty: set[str] = set()
    for statement in backward:
        read, written = _gradients(statement.node, ast.Load), _gradients(statement.node, ast.Store)
        if isinstance(statement.node, ast.For):
            filled = read & empty
            read, written = read - filled, written | filled
            empty -= filled
        elif not read:
            empty |= written
        yield statement.label, read, written


def _gradient(derivation: Derivation, quantity: str) -> str:
    """Return our name for a gradient in a report: what is returned for "grad_input" or "grad_input[1]"."""
    if not quantity.startswith("grad_input"):
        return quantity
    place = int(quantity.partition("[")[2].rstrip("]") or 0)
    returned = _returned(derivation.backward)
    return returned[place] if place < len(returned) else ""


def _returned(backward: list[Statement]) -> list[str]:
    value = backward[-1].node.value  # type: ignore[attr-defined]
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return [one.id if isinstance(one, ast.Name) else "" for one in parts]


def _gradients(node: ast.AST, context: type) -> set[str]:
    inner = list(ast.walk(node))
    # A shape or a dtype is no number of the gradient.
    sizes = {
        id(one.value) for one in inner if isinstance(one, ast.Attribute) and one.attr in ("shape", "dtype", "size")
    }
    named = (
        one for one in inner if isinstance(one, ast.Name) and isinstance(one.ctx, context) and id(one) not in sizes
    )
    return {one.id for one in named if one.id.startswith("grad_")}
