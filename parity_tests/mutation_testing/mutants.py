"""The mutants of a file: mutmut's, with decorated functions, and without what no numbers depend on."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, WhitespaceInclusivePositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

SAYING = {
    "as_tuple",
    "check_array",
    "check_bool",
    "check_count",
    "check_dtype",
    "check_each",
    "check_fits",
    "check_flag",
    "check_float_dtype",
    "check_grad_output",
    "check_input",
    "check_integer",
    "check_integers",
    "check_is_array",
    "check_number",
    "check_optimizer",
    "check_positive",
    "check_scalar_grad_output",
    "check_size",
    "check_weight",
    "name_of",
    "pair",
}


class Mutant(NamedTuple):
    """A file's text with one change.

    Attributes
    ----------
    line : int
        Where the change is.
    before, after : str
        The changed lines.
    function : str
        The qualified name of the function or method that is changed; empty for a class body.
    is_default : bool
        Whether the change is a parameter's default, which a test may read without calling the function.
    text : str
        The whole file, changed.
    """

    line: int
    before: str
    after: str
    function: str
    is_default: bool
    text: str


class _Place(NamedTuple):
    """Where a node is: start and end as line and column, in how many blocks, and whether in a signature."""

    start: tuple[int, int]
    end: tuple[int, int]
    depth: int
    is_default: bool


class _Visitor(MutationVisitor):
    """mutmut's, with decorated functions and without what no numbers depend on."""

    METADATA_DEPENDENCIES = (*MutationVisitor.METADATA_DEPENDENCIES, WhitespaceInclusivePositionProvider)

    @classmethod
    def get_inherited_dependencies(cls) -> Collection[type]:
        """Return what this class declares; libcst's own would return the parent's, once that was asked for."""
        return cls.METADATA_DEPENDENCIES

    def __init__(self) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self.places: list[_Place] = []  # one for each of the mutations
        self.functions: dict[cst.CSTNode, str] = {}
        self._classes: list[str] = []
        self._depth = 0
        self._in_signature = False

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
        if len(self.mutations) > before:
            span = self.get_metadata(WhitespaceInclusivePositionProvider, node)
            place = _Place(
                (span.start.line, span.start.column), (span.end.line, span.end.column), self._depth, self._in_signature
            )
            self.places += [place] * (len(self.mutations) - before)

    def visit_Call(self, node: cst.Call) -> None:  # noqa: N802 - libcst's name
        """Leave out the strings that a check takes for its message."""
        if _said_by(node):
            said = {id(arg.value) for arg in node.args if isinstance(arg.value, cst.SimpleString)}
            self.silent = getattr(self, "silent", set()) | said

    def _should_mutate_node(self, node: cst.CSTNode) -> bool:
        return id(node) not in getattr(self, "silent", ()) and super()._should_mutate_node(node)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note the strings of a check before its arguments are visited, and how deep in blocks a node lies."""
        if isinstance(node, cst.Call):
            self.visit_Call(node)
        elif isinstance(node, cst.IndentedBlock):
            self._depth += 1
        elif isinstance(node, cst.Param):
            self._in_signature = True
        elif isinstance(node, cst.ClassDef):
            self._classes.append(node.name.value)
        elif isinstance(node, cst.FunctionDef):
            self.functions[node] = ".".join([*self._classes, node.name.value])
        return super().on_visit(node)

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Leave a block or a class again."""
        super().on_leave(original_node)
        if isinstance(original_node, cst.IndentedBlock):
            self._depth -= 1
        elif isinstance(original_node, cst.Param):
            self._in_signature = False
        elif isinstance(original_node, cst.ClassDef):
            self._classes.pop()


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
    visitor = _Visitor()
    wrapper.visit(visitor)
    lines = code.splitlines(keepends=True)
    found = []
    for mutation, place in zip(visitor.mutations, visitor.places, strict=True):
        owner = mutation.contained_by_top_level_function
        if owner is not None:
            printed = _printed(wrapper.module, mutation.mutated_node, place.depth)
            found.append(_mutant(lines, place, printed, visitor.functions.get(owner, "")))
    return found


def _printed(module: cst.Module, node: cst.CSTNode, depth: int) -> str:
    # Prints the node alone: printing the whole file for each mutant would take a minute for a long file.
    return module.code_for_node(node).replace("\n", "\n" + depth * module.default_indent)


def _mutant(lines: list[str], place: _Place, printed: str, function: str) -> Mutant:
    (first, begin), (last, end) = place.start, place.end
    old = lines[first - 1 : last]
    new = (lines[first - 1][:begin] + printed + lines[last - 1][end:]).splitlines(keepends=True)
    text = "".join([*lines[: first - 1], *new, *lines[last:]])
    removed, added, line = [], [], 0
    for words in difflib.unified_diff(old, new, n=0):
        if words.startswith("@@"):
            line = line or first - 1 + int(words.split()[1].split(",")[0][1:])
        elif words.startswith("-") and not words.startswith("---"):
            removed.append(words[1:].strip())
        elif words.startswith("+") and not words.startswith("+++"):
            added.append(words[1:].strip())
    return Mutant(line, " ".join(removed), " ".join(added), function, place.is_default, text)
