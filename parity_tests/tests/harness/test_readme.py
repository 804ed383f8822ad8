"""What the READMEs show is what the project has: code, links, and length."""

import inspect
import re
from pathlib import Path

import pytest

from parity_tests import catalogue
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
    """Functions, the derivation and the catalogue's entry whole; of the exhibits, the first."""
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


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_readme_lead_somewhere(readme):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", readme.read_text())
    assert [link for link in links if not (readme.parent / link).exists()] == []
