"""The READMEs match the project: the code, numbers and links are right, and the main one is short."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.commands.parity import FEWER
from parity_tests import catalogue
from parity_tests.catalogue import CATALOGUE
from parity_tests.harness.sweep import DTYPES
from parity_tests.museum import EXHIBITS, WITNESSES
from parity_tests.museum import embedding as museum_of_embedding
from scratch.nn import batchnorm, embedding

ROOT = Path(__file__).parents[3]
READMES = sorted(
    path
    for path in (*ROOT.rglob("README.md"), *ROOT.glob(".github/*.md"))
    if not {".venv", "runs"} & set(path.relative_to(ROOT).parts[:-1][:1])
)


def test_the_readme_shows_the_code_of_batch_norm_as_it_is():
    text = (ROOT / "README.md").read_text()
    for function in (batchnorm.batch_norm, batchnorm.batch_norm_backward):
        assert inspect.getsource(function) in text


def test_the_guide_shows_embedding_as_it_is():
    """It shows the functions, the derivation and the catalogue's entry in full, and the first of the exhibits."""
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
    shown = (
        embedding.embedding,
        embedding.embedding_backward,
        catalogue.layers.embedding,
        museum_of_embedding.repeats_overwritten_backward,
        museum_of_embedding.RepeatsOverwritten,
    )
    for one in shown:
        assert inspect.getsource(one) in text
    for block in re.findall(r"```text\n(.*?)```", text, re.DOTALL):
        assert block in embedding.__doc__


def count(text, pattern):
    """Return the number that ``pattern`` captures in a README."""
    return int(re.search(pattern, text).group(1).replace(",", ""))


def test_the_numbers_of_cases_and_mistakes_are_the_true_ones():
    text = (ROOT / "parity_tests" / "README.md").read_text()

    def cases(asked):
        return sum(len(DTYPES) * max(1, asked // entry.share) for entry in CATALOGUE)

    assert count(text, r"([\d,]+) cases, and [\d,]+ of the plain functions: all agree") == cases(50)
    assert count(text, r"cases, and ([\d,]+) of the plain functions: all agree") == cases(50 // FEWER)
    for words in ("keeps {} classic", "Of the {} mistakes"):
        assert words.format(len(EXHIBITS)) in " ".join(text.split())
    caught = {witness: sum(witness in one.caught for one in EXHIBITS) for witness in WITNESSES}
    ones = [one.passes_ones for one in EXHIBITS if one.passes_ones is not None]
    for number, of in (
        (caught["torch"], len(EXHIBITS)),
        (caught["laws"], len(EXHIBITS)),
        (caught["differences"], len(ones)),
        (sum(bool(one.caught) for one in EXHIBITS), len(EXHIBITS)),
        (sum(not passes for passes in ones), len(ones)),
    ):
        assert f"| {number} of {of}" in text


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_model_that_is_ported_trains_as_pytorchs_does():
    """Run the blocks of Python in scratch's README: a program in PyTorch, the same one here, and the check."""
    theirs, ours, check = re.findall(r"```python\n(.*?)```", (ROOT / "scratch" / "README.md").read_text(), re.DOTALL)
    rng = np.random.default_rng(0)
    batches = [
        (rng.normal(size=(6, 2)).astype(np.float32), rng.integers(0, 3, 6), rng.normal(size=(6, 1)).astype(np.float32))
        for _ in range(20)
    ]
    of_torch = {"batches": [tuple(map(torch.from_numpy, batch)) for batch in batches]}
    exec(theirs, of_torch)
    of_scratch = {"batches": batches}
    exec(ours, of_scratch)
    np.testing.assert_allclose(of_scratch["losses"], of_torch["losses"], rtol=1e-4)
    assert of_scratch["losses"][-1] < of_scratch["losses"][0]
    assert list(of_scratch["model"].state_dict()) == list(of_torch["model"].state_dict())
    exec(check, of_scratch)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_readme_lead_somewhere(readme):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", readme.read_text())
    assert [link for link in links if not (readme.parent / link).exists()] == []
