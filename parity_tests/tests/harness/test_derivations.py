"""The derivation is the code: labels of docstrings and statements agree, and plain functions stay plain."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from parity_tests.harness.derivation import derivations, files

FILES = files()
DERIVATIONS = [one for name in FILES for one in derivations(name)]
each_derivation = pytest.mark.parametrize("derivation", DERIVATIONS, ids=lambda one: one.name)
each_file = pytest.mark.parametrize("name", FILES)


def labels(statements):
    return [one.label for one in statements if one.label]


@each_derivation
def test_each_label_of_a_docstring_has_one_statement_and_each_statement_one_label(derivation):
    equations = [one.label for one in derivation.equations]
    assert len(set(equations)) == len(equations), f"{derivation.name}: a label stands twice in the docstring"
    assert sorted(equations) == sorted(labels(derivation.forward) + labels(derivation.backward))


@each_derivation
def test_forward_goes_up_and_backward_goes_down(derivation):
    def numbers(statements):
        return [int(re.sub(r"\D", "", label)) for label in labels(statements)]

    assert all(label[0] in "FU" for label in labels(derivation.forward))
    assert all(label[0] == "B" for label in labels(derivation.backward))
    assert numbers(derivation.forward) == list(range(1, len(derivation.forward and labels(derivation.forward)) + 1))
    assert numbers(derivation.backward) == sorted(numbers(derivation.backward), reverse=True)
    assert set(numbers(derivation.backward)) <= set(numbers(derivation.forward))


def is_unpacking(node):
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Name)


@each_derivation
def test_every_statement_has_a_label_but_unpacking_and_return(derivation):
    for one in (*derivation.forward, *derivation.backward):
        assert one.label or isinstance(one.node, ast.Return) or is_unpacking(one.node), one.source


@each_derivation
def test_a_name_means_one_quantity(derivation):
    for statements in (derivation.forward, derivation.backward):
        names = [
            target.id
            for one in statements
            if isinstance(one.node, ast.Assign)
            for target in one.node.targets
            if isinstance(target, ast.Name)
        ]
        assert len(names) == len(set(names)), f"{derivation.name}: a name is assigned twice"


@each_file
def test_what_makes_code_fast_stays_in_the_kernels(name):
    source = Path(importlib.import_module(name).__file__).read_text()
    code = re.sub(r'"""[\s\S]*?"""', "", source)
    assert not re.search(r"\bout=", code), "out= is for scratch/kernels"
    assert "errstate" not in code, "scratch.dispatch is silent about infinities and NaN"
    imported = re.findall(r"^\s*(?:from|import) ([\w.]+)", code, re.MULTILINE)
    assert [one for one in imported if one.startswith("scratch.kernels")] == []


@each_derivation
def test_both_passes_fit_on_one_screen(derivation):
    statements = [*derivation.forward, *derivation.backward]
    lines = statements[-1].node.end_lineno - statements[0].line
    assert lines <= 60, f"{derivation.name}: {lines} lines from the first statement to the last"
