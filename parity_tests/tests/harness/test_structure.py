"""The structure of the repository: who may import whom, read from the source without running it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[3]
OURS = {"scratch", "torch_ref", "parity_tests", "benchmarks"}


def imports(path: Path) -> set[str]:
    """Return the top-level names that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def files(package: str) -> list[Path]:
    """Return the Python files of one of our packages."""
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(OURS))
def test_there_is_something_to_look_at(package):
    assert files(package)


def test_scratch_imports_numpy_and_the_standard_library_only():
    allowed = {"numpy", "scratch"} | sys.stdlib_module_names
    assert {str(path.relative_to(ROOT)): extra for path in files("scratch") if (extra := imports(path) - allowed)} == {}


@pytest.mark.parametrize(
    ("package", "others"),
    [
        ("scratch", {"torch_ref", "parity_tests", "benchmarks"}),
        ("torch_ref", {"scratch", "parity_tests", "benchmarks"}),
    ],
)
def test_arrows_run_one_way(package, others):
    assert {str(path.relative_to(ROOT)): wrong for path in files(package) if (wrong := imports(path) & others)} == {}


def modules_imported(path: Path, everywhere: bool = False) -> set[Path]:
    """Return our own files that a file imports when it is itself imported or, with ``everywhere``, at any time."""
    package = path.parent.relative_to(ROOT)
    names, tree = set(), ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else outside_of_functions(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.parts[: len(package.parts) - node.level + 1] if node.level else ()
            base = ".".join([*parts, *([node.module] if node.module else [])])
            # A name that is not a module itself is defined in `base`.
            names |= {name if file_of(name := f"{base}.{alias.name}") else base for alias in node.names}
    return {found for name in names if (found := file_of(name)) is not None} - {path}


def outside_of_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Go through the nodes that run on import; those in functions and under TYPE_CHECKING do not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from outside_of_functions(node)


def file_of(name: str) -> Path | None:
    """Return the file of one of our modules, given its dotted name."""
    place = ROOT.joinpath(*name.split("."))
    found = [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return found[0] if found and name.split(".")[0] in OURS else None


def circles(graph: dict[Path, set[Path]]) -> list[str]:
    """Return circles in a graph, as text: one or more if there are any, but not necessarily all."""
    found, finished, way = [], set(), []

    def visit(path: Path) -> None:
        if path in way:
            found.append(" -> ".join(str(one.relative_to(ROOT)) for one in [*way[way.index(path) :], path]))
        elif path not in finished:
            way.append(path)
            for following in sorted(graph[path]):
                visit(following)
            finished.add(way.pop())

    for path in sorted(graph):
        visit(path)
    return found


def test_no_file_imports_itself_by_way_of_others():
    every = [path for package in sorted(OURS) for path in files(package)]
    assert circles({path: modules_imported(path) for path in every}) == []


def test_a_circle_would_be_found():
    one, two, three = (ROOT / name for name in ("a.py", "b.py", "c.py"))
    assert circles({one: {two}, two: {three}, three: {two}}) == ["b.py -> c.py -> b.py"]


PLACES = ("commands", "lessons", "speed", "figures", "runs", "tasks")  # from the top of the house to the bottom


def test_in_benchmarks_arrows_run_one_way():
    """A folder of PLACES may import itself and those after it, but none before it."""
    wrong = set()
    for path in files("benchmarks"):
        own = path.relative_to(ROOT / "benchmarks").parts[0]
        for other in modules_imported(path, everywhere=True):
            place = other.relative_to(ROOT / "benchmarks").parts[0] if other.is_relative_to(ROOT / "benchmarks") else ""
            if own in PLACES and place in PLACES and PLACES.index(place) < PLACES.index(own):
                wrong.add((str(path.relative_to(ROOT)), str(other.relative_to(ROOT))))
    assert wrong == set()


def test_the_harness_knows_of_benchmarks_only_in_the_tests_of_commands():
    harness = [path for path in files("parity_tests") if not path.name.startswith(("test_", "conftest"))]
    assert [path.name for path in harness if "benchmarks" in imports(path)] == []


def test_importing_scratch_leaves_torch_out():
    code = "import sys, scratch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_two_tests_of_a_file_share_a_name():
    for path in files("parity_tests"):
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        assert len(names) == len(set(names)), path.name


def test_the_thorough_profile_tries_twenty_times_as_many_examples_everywhere():
    default, thorough = settings.get_profile("default"), settings.get_profile("thorough")
    assert thorough.max_examples >= 20 * default.max_examples
    assert default.deadline is thorough.deadline is None
    assert default.print_blob
    assert thorough.print_blob
    own = [path.name for path in files("parity_tests") if "max_examples" in path.read_text()]
    assert own == ["conftest.py", "modes.py", Path(__file__).name]  # modes divides what either profile asks for
