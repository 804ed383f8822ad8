"""Mutation testing: the tool knows every file and makes mutants that matter; its list of equivalents is up to date."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_tests.mutation_testing.equivalents import EQUIVALENT, why_equivalent
from parity_tests.mutation_testing.files import NOT_MUTATED, TOPICS, files, suite_of
from parity_tests.mutation_testing.sample import draw, wilson

ROOT = Path(__file__).parents[3]


@pytest.fixture
def mutants():
    pytest.importorskip("mutmut", reason="needs the extra 'mutation'")
    from parity_tests.mutation_testing import mutants

    return mutants


@pytest.mark.parametrize("path", files())
def test_every_file_has_its_tests(path):
    """test_adding_a_layer.py checks the same for files of layers."""
    assert suite_of(path), (
        f"{path}: no test is found; list those that hold it in parity_tests/mutation_testing/files.py"
    )


def test_what_is_listed_exists():
    stems = {Path(path).stem for path in files()}
    for test, listed in TOPICS.items():
        assert (ROOT / "parity_tests" / "tests" / test.split("::")[0]).exists()
        assert set(listed.split()) <= stems, f"{test}: {set(listed.split()) - stems}"
    assert all((ROOT / path).exists() for path in NOT_MUTATED)


def test_tests_are_found_by_name_by_import_and_by_topic():
    assert suite_of("scratch/kernels/embedding.py") == ["parity_tests/tests/layers/test_embedding.py"]
    assert suite_of("scratch/nn/embedding.py") == [
        "parity_tests/tests/engine/test_defaults.py",
        "parity_tests/tests/engine/test_init.py::test_every_layer_of_the_catalogue_begins_as_torchs",
        "parity_tests/tests/layers/test_dtypes.py",
        "parity_tests/tests/layers/test_embedding.py",
        "parity_tests/tests/layers/test_options_refused.py",
        "parity_tests/tests/layers/test_parameter_gradients.py",
    ]
    assert "parity_tests/tests/layers/test_batchnorm.py" in suite_of("scratch/kernels/channel_sums.py")
    assert "parity_tests/tests/layers/test_activation.py" in suite_of("scratch/kernels/relu.py")
    assert suite_of("scratch/nn/unheard.py") == []


CODE = '''
class Layer:
    @quiet
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return x + 1."""
        check_array(self, x, "input")
        if x.ndim < 2:
            raise ValueError(f"Layer: expected {x.ndim + 1} axes")
        return np.add(x, 1, out=memory.empty_like(x, 3))
'''


def test_mutants_are_those_that_numbers_depend_on(mutants, tmp_path):
    path = tmp_path / "layer.py"
    path.write_text(CODE)
    made = {mutant.after for mutant in mutants.mutants(str(path))}
    assert {"if x.ndim <= 2:", "if x.ndim < 3:"} <= made
    assert "return np.add(x, 2, out=memory.empty_like(x, 3))" in made
    assert "return np.add(None, 1, out=memory.empty_like(x, 3))" in made
    assert 'check_array(self, None, "input")' in made
    for line in made:
        assert "raise" not in line
        assert "XX" not in line
        assert "np.add" not in line or "out=memory.empty_like(x, 3)" in line


SPREAD = """
SCALE = 2


class Layer:
    kind = "plain"

    def forward(self, x):
        if x.ndim > 1:
            y = np.add(
                np.concatenate([x, x + 1]),
                SCALE,  # twice
            )
            return y if y.size else None
        return [
            value * 2 for value in x
        ]

    class Inner:
        def backward(self): return self - 1


def function(a, b=3):
    def inner(c):
        return c < b
    return inner(a)
"""


def test_a_mutant_is_the_whole_file_with_one_node_changed(mutants, tmp_path):
    """Printing only the changed node, which is fast, gives the same text as printing the whole tree."""
    import libcst as cst
    from mutmut.mutation.file_mutation import MutationVisitor
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    path = tmp_path / "layer.py"
    path.write_text(SPREAD)
    wrapper = cst.MetadataWrapper(cst.parse_module(SPREAD))
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    inside = [mutation for mutation in visitor.mutations if mutation.contained_by_top_level_function is not None]
    whole = [wrapper.module.deep_replace(mutation.original_node, mutation.mutated_node).code for mutation in inside]
    made = mutants.mutants(str(path))
    assert [mutant.text for mutant in made] == whole
    lines = SPREAD.splitlines()
    for mutant in made:
        assert mutant.before.startswith(lines[mutant.line - 1].strip())
        assert mutant.before != mutant.after
    functions = {(mutant.before, mutant.function) for mutant in made}
    assert [mutant.after for mutant in made if mutant.is_default] == ["def function(a, b=4):"]
    assert ("value * 2 for value in x", "Layer.forward") in functions
    assert ("return c < b", "function") in functions
    assert ('kind = "plain"', "") in functions


@given(st.integers(0, 40), st.integers(1, 30), st.integers(0, 5), st.integers(0, 5))
def test_a_larger_sample_contains_the_smaller_one(size, count, more, seed):
    made = list(range(size))
    drawn = draw("layer.py", made, count, seed)
    assert len(drawn) == len(set(drawn)) == min(count, size)
    assert set(drawn) <= set(draw("layer.py", made, count + more, seed))
    assert drawn == draw("layer.py", made, count, seed)
    assert draw("layer.py", made, None, seed) == made


def test_files_and_seeds_have_draws_of_their_own():
    drawn = {tuple(draw(path, range(100), 5, seed)) for path in ("a.py", "b.py") for seed in (0, 1)}
    assert len(drawn) == 4


@given(st.integers(1, 5000).flatmap(lambda drawn: st.tuples(st.integers(0, drawn), st.just(drawn))))
def test_wilsons_interval_ends_where_the_rate_is_as_far_off_as_its_own_spread_allows(counts):
    killed, drawn = counts
    low, high = wilson(killed, drawn)
    assert 0 <= low <= killed / drawn + 1e-12
    assert killed / drawn - 1e-12 <= high <= 1
    for end in (low, high):
        spread = 1.96 * math.sqrt(end * (1 - end) / drawn)
        assert math.isclose(abs(killed / drawn - end), spread, rel_tol=1e-6, abs_tol=1e-7)


ENGINE = '''
import functools


class Layer:
    """Twice, and one.

    >>> Layer(1).shift
    2
    """

    factor = 2

    def __init__(self, size, times=1):
        self.shift = size + STEP

    def forward(self, x):
        return x * self.factor + _one()

    def untested(self, x):
        return x - 5


@functools.cache
def _one():
    return 1


def _step():
    return 1


STEP = _step()
'''
TESTS = """
import inspect

from scratch.layer import Layer

layer = Layer(3)  # when the test is imported


def test_shift():
    assert layer.shift == 4


def test_forward():
    assert layer.forward(3) == 7


def test_red():
    assert layer.factor == 3


def test_default():
    assert inspect.signature(Layer).parameters["times"].default == 1
"""
RUN = """
import json
import scratch.layer  # as the engine is before the run
from parity_tests.mutation_testing.runner import Run
results = []
Run({"scratch/layer.py": %r}, 2, results.append, %r, 0).start()
print(json.dumps(results))
"""


@pytest.fixture
def run(mutants, tmp_path):
    for name in ("scratch", "benchmarks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "scratch/layer.py").write_text(ENGINE)
    (tmp_path / "benchmarks/test_layer.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text('from hypothesis import settings\nsettings.register_profile("mutation")\n')

    def run(tests, count):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        command = [sys.executable, "-P", "-c", RUN % (tests, count)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


def test_mutants_are_killed_wherever_the_changed_code_runs(run):
    """In a function, at import, in a doctest, in a class body, in a default value, and in a cached function."""
    result = run([f"benchmarks/test_layer.py::test_{name}" for name in ("shift", "forward", "default")], None)
    assert result.returncode == 0, result.stderr
    (told,) = json.loads(result.stdout)
    assert {mutant["after"] for mutant in told["survivors"]} == {"return x + 5", "return x - 6"}
    assert {mutant["function"] for mutant in told["survivors"]} == {"Layer.untested"}
    assert told["drawn"] == told["mutants"] == told["killed"] + 2
    assert told["mutants"] >= 8


def test_a_sample_counts_what_it_drew(run):
    (told,) = json.loads(run(["benchmarks/test_layer.py::test_shift"], 3).stdout)
    assert told["drawn"] == 3 == told["killed"] + len(told["survivors"])


def test_tests_that_fail_anyway_are_named(run):
    result = run(["benchmarks/test_layer.py"], 1)
    assert result.returncode == 1
    assert result.stderr.strip() == "benchmarks/test_layer.py::test_red fails before anything is changed"


def test_equivalent_mutants_are_of_lines_that_are_still_there_and_say_why():
    for (path, before, after), reason in EQUIVALENT.items():
        assert before in " ".join(line.strip() for line in (ROOT / path).read_text().splitlines())
        assert before != after
        assert len(reason) > 10


@pytest.mark.parametrize(
    ("before", "after", "equivalent"),
    [
        ("y = x.reshape(n, -1)", "y = x.reshape(n, -2)", True),
        ("y = x.reshape(n, -1)", "y = x.reshape(n, +1)", False),
        ("y = x.sum(-1)", "y = x.sum(-2)", False),
        ("pairs = zip(a, b, strict=True)", "pairs = zip(a, b, )", True),
        ("pairs = zip(a, b, strict=True)", "pairs = zip(a, None, strict=True)", False),
        ('y = x.copy(order="K")', "y = x.copy(order=None)", True),
    ],
)
def test_forms_of_the_same_thing_are_equivalent(before, after, equivalent):
    assert bool(why_equivalent("anywhere.py", before, after)) == equivalent
