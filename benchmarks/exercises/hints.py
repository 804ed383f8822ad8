"""Hints from the derivation, one step at a time: which F is undone; by which rule; the shape; the B."""

import ast
import re

from benchmarks.exercises import cutting
from benchmarks.exercises.exercise import Exercise, Explain, Find, Method, Write
from parity_tests.harness.derivation import Derivation, Statement
from parity_tests.harness.execution import in_columns

UNDONE = re.compile(r"F\d+[a-z]?")
PREFIX = re.compile(r"^(?:F\d+[a-z]?)(?:(?:, | and |, and )F\d+[a-z]?)*[:,.]?\s*")
LIKEWISE = re.compile(r"^(?:likewise|as above|as B\d+[a-z]?)\.?$", re.IGNORECASE)
REFERS_BACK = re.compile(r"^likewise, that of ")  # a hint is read alone, without what it refers to
NAMED = re.compile(r"(?:logp|bias|mean|weight|centred|shifted|residue|exp)\b")
EVERYDAY = {"sum", "copy", "astype", "slice", "len", "range", "zip", "np.exp", "np.log", "np.sqrt"}


def hints(exercise: Exercise) -> dict[str, list[str]]:
    """Return an exercise's hints in order, by what they are about: a label, or "" for the whole exercise."""
    if isinstance(exercise, Explain):
        return {"": list(exercise.hints)}
    if isinstance(exercise, Method):
        return {"": list(exercise.told)}
    if isinstance(exercise, Find):
        return {"": _of_a_mistake(exercise)}
    assert isinstance(exercise, Write)
    found = cutting.derivation(exercise)
    return {label: _of_a_statement(found, label) for label in cutting.cut_labels(exercise)}


def names_of(exercise: Exercise, label: str) -> list[str]:
    """Return the names that a label's statement computes: once all of them are right, it needs no hint."""
    if not label or not isinstance(exercise, Write):
        return []
    return cutting.targets(cutting.derivation(exercise).statement(label))


def _of_a_statement(found: Derivation, label: str) -> list[str]:
    statement = found.statement(label)
    equation, remark = in_columns(found.equation(label).text, found.module.__doc__ or "", statement.shape)
    if label[0] == "F":
        return _of_a_forward(statement, equation)
    if label[0] == "U":
        said = [f"It is computed from {', '.join(_names(statement))}."]
        said += [f"{_sentence(remark)}"] if remark else []
        return [*said, f"{label}  {equation}"]
    undone = list(dict.fromkeys(UNDONE.findall(remark.partition(":")[0])))
    forward = [f"{one.label}, {' '.join(one.source.split())}" for one in found.forward if one.label in undone]
    said = [f"It undoes {' and '.join(forward)}." if len(forward) < 2 else f"It undoes {'; and '.join(forward)}."]
    if not forward:
        said = ["It is an intermediate step for what follows."]
    rule = _rule(found, label)
    said += [rule] if rule else []
    target = next(iter(cutting.targets(statement)), "")
    if statement.shape:
        said += [f"{target} has the shape {statement.shape}, as {target.removeprefix('grad_')} has."]
    said += [f"{label}  {equation}"]
    calls = _calls(statement)
    return [*said, f"In NumPy, use {', '.join(calls)}."] if calls else said


def _of_a_forward(statement: Statement, equation: str) -> list[str]:
    # The equation is already in the learner's file.
    said = [f"{' and '.join(cutting.targets(statement))} has the shape {statement.shape}."] if statement.shape else []
    calls = _calls(statement)
    said += [f"In NumPy, use {', '.join(calls)}."] if calls else []
    return [*said, " ".join(statement.source.split())]


def _of_a_mistake(exercise: Find) -> list[str]:
    from parity_tests.museum import EXHIBITS

    exhibit = next(one for one in EXHIBITS if one.wrong.__name__ == exercise.exhibit)
    found = cutting.derivation(exercise)
    statement = found.statement(exercise.label)
    wrong = f"The mistake is in the statement that computes {' and '.join(cutting.targets(statement))}."
    return [f"What you see: {exhibit.seen}", wrong, *_rules(found, exercise.label), f"The mistake: {exhibit.forgotten}"]


def _rules(found: Derivation, label: str) -> list[str]:
    rule = _rule(found, label)
    return [f"The right rule: {rule}"] if rule else []


def _rule(found: Derivation, label: str) -> str:
    """Return the rule by which a B undoes its F; where it says "likewise", the rule of the B before it."""
    labels = [one.label for one in found.backward if one.label]
    for one in reversed(labels[: labels.index(label) + 1]) if label in labels else []:
        statement = found.statement(one)
        _, remark = in_columns(found.equation(one).text, found.module.__doc__ or "", statement.shape)
        text = REFERS_BACK.sub("the gradient of ", PREFIX.sub("", remark))
        if text and not LIKEWISE.match(text):
            return _sentence(text)
    return ""


def _sentence(text: str) -> str:
    # Do not capitalize a name: "x is used twice", "z_no = ...".
    first = re.match(r"[\w-]*", text)
    is_word = (first is not None and len(first[0]) > 2 and "_" not in first[0]) or text.startswith(("a ", "in ", "as "))
    text = text[0].upper() + text[1:] if is_word and not NAMED.match(text) else text
    return text if text.endswith(".") else f"{text}."


def _names(statement: Statement) -> list[str]:
    loaded = [one.id for one in ast.walk(statement.node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
    return [one for one in dict.fromkeys(loaded) if one != "np"]


def _calls(statement: Statement) -> list[str]:
    """Return the functions and methods that a statement calls, except the everyday ones."""
    found = []
    for node in ast.walk(statement.node):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            name = name if name.startswith(("np.", "math.")) else name.rpartition(".")[2]
            if name not in EVERYDAY:
                found.append(name)
    return list(dict.fromkeys(reversed(found)))
