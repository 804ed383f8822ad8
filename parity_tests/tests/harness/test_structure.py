"""The house as DESIGN.md draws it: who may import whom, read from the source without running it."""

import ast
import subprocess
import sys
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


def test_the_harness_knows_of_benchmarks_only_in_the_tests_of_commands():
    harness = [path for path in files("parity_tests") if not path.name.startswith("test_")]
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
    assert own == ["conftest.py", Path(__file__).name]
