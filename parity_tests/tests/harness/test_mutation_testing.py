"""The tool that mutates: it knows every file, makes mutants that matter, and its list of equivalents is up to date."""

from pathlib import Path

import pytest

from parity_tests.mutation_testing.equivalents import EQUIVALENT, why_equivalent
from parity_tests.mutation_testing.files import NOT_MUTATED, TOPICS, files, suite_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def mutants():
    pytest.importorskip("mutmut", reason="needs the extra 'mutation'")
    from parity_tests.mutation_testing import mutants

    return mutants


@pytest.mark.parametrize("path", files())
def test_every_file_has_its_tests(path):
    """For files of layers, test_adding_a_layer.py says the same."""
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
    for path in ("scratch/nn/embedding.py", "scratch/kernels/embedding.py"):
        assert suite_of(path) == ["parity_tests/tests/layers/test_embedding.py"]
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
