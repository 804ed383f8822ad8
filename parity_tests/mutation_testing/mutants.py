"""The mutants of a file: mutmut's, with decorated functions, and without what no numbers depend on."""

import difflib
from pathlib import Path
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

SAYING = {
    "check_scalar_grad_output",
    "check_array",
    "check_dtype",
    "check_float_dtype",
    "check_grad_output",
    "pair",
    "name_of",
}


class Mutant(NamedTuple):
    """A file's text with one change.

    Attributes
    ----------
    line : int
        Where the change is.
    before, after : str
        The changed lines.
    text : str
        The whole file, changed.
    """

    line: int
    before: str
    after: str
    text: str


class _Visitor(MutationVisitor):
    """mutmut's, with decorated functions and without what no numbers depend on."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        if isinstance(node, (cst.Raise, cst.Decorator)) or m.matches(node, m.Call(func=_attribute("warnings", "warn"))):
            return True
        if isinstance(node, cst.Call) and (
            m.matches(node.func, m.Attribute(value=m.Name("memory"))) or _said_by(node) == "name_of"
        ):
            return True
        return super()._skip_node_and_children(node)

    def _create_mutations(self, node: cst.CSTNode) -> None:
        before = len(self.mutations)
        super()._create_mutations(node)
        if isinstance(node, cst.Call):
            self.mutations[before:] = [made for made in self.mutations[before:] if _matters(node, made.mutated_node)]

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802 - libcst's name
        """Leave out the strings that a check is told for its message."""
        if _said_by(node):
            said = {id(arg.value) for arg in node.args if isinstance(arg.value, cst.SimpleString)}
            self.silent = getattr(self, "silent", set()) | said

    def _should_mutate_node(self, node: cst.CSTNode) -> bool:
        return id(node) not in getattr(self, "silent", ()) and super()._should_mutate_node(node)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note the strings of a check before its arguments are visited."""
        if isinstance(node, cst.Call):
            self.visit_Call(node)
        return super().on_visit(node)


def _attribute(owner: str, name: str) -> m.Attribute:
    return m.Attribute(value=m.Name(owner), attr=m.Name(name))


def _said_by(call: cst.Call) -> str:
    name = call.func.value if isinstance(call.func, cst.Name) else ""
    return name if name in SAYING else ""


def _matters(call: cst.Call, mutated: cst.Call) -> bool:
    # Not the names that a check says (its first argument, and strings), nor an `out=` made None or left out.
    if _said_by(call):
        kept = {id(arg.value) for arg in mutated.args}
        changed = [arg for arg in call.args if id(arg.value) not in kept]
        if len(mutated.args) == len(call.args) and changed == [call.args[0]]:
            return False
        if all(isinstance(arg.value, cst.SimpleString) for arg in changed):
            return False
    kept = {arg.keyword.value: arg.value for arg in mutated.args if arg.keyword}
    return all(
        kept.get(arg.keyword.value) is arg.value for arg in call.args if arg.keyword and arg.keyword.value == "out"
    )


def mutants(path: str) -> list[Mutant]:
    """Return every mutant of a file."""
    code = Path(path).read_text()
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    inside = [mutation for mutation in visitor.mutations if mutation.contained_by_top_level_function is not None]
    found = []
    for mutation in inside:
        text = wrapper.module.deep_replace(mutation.original_node, mutation.mutated_node).code
        removed, added, line = [], [], 0
        for words in difflib.unified_diff(code.splitlines(), text.splitlines(), n=0, lineterm=""):
            if words.startswith("@@"):
                line = line or int(words.split()[1].split(",")[0][1:])
            elif words.startswith("-") and not words.startswith("---"):
                removed.append(words[1:].strip())
            elif words.startswith("+") and not words.startswith("+++"):
                added.append(words[1:].strip())
        found.append(Mutant(line, " ".join(removed), " ".join(added), text))
    return found
