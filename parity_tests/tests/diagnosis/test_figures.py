"""The README's figures about the check, measured again on the collection of learners' layers."""

from pathlib import Path

import pytest

from parity_tests.diagnosis.collection.twins import SUBJECTS
from parity_tests.diagnosis.figures import measure

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def figures():
    return measure()


def test_every_right_layer_is_taken_as_written_and_accused_of_nothing(figures):
    assert figures.accused == []
    assert figures.unmentioned == []
    assert figures.as_written >= 0.9 * figures.right


def test_every_wrong_twin_is_detected_and_no_sentence_misleads(figures):
    assert figures.missed == []
    assert figures.misleading == []


def test_most_mistakes_are_named_and_located(figures):
    assert len(figures.nameless) <= 0.2 * figures.wrong
    assert len(figures.elsewhere) <= 0.2 * figures.lines


def test_the_collection_is_large_and_of_many_forms(figures):
    assert figures.right + figures.wrong >= 60
    assert len({subject.file for subject in SUBJECTS}) >= 15


def test_the_readme_shows_the_figures(figures):
    assert figures.table() in README.read_text()
