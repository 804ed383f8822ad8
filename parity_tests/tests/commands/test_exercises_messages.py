"""What is said of a wrong exercise: the first line that goes wrong, the mistake's name, and the README's sample."""

import re
import textwrap
from pathlib import Path

import pytest

from benchmarks import exercises
from benchmarks.exercises import catalogue, sheets
from benchmarks.exercises.grading.grade import grade
from parity_tests.tests.commands.test_exercises import write

README = Path(exercises.__file__).parent / "README.md"


@pytest.fixture
def said(tmp_path):
    """Return a function that fills in statements of an exercise, and returns what is said of it."""

    def fill(name, **statements):
        exercise = next(one for one in catalogue.all_exercises() if one.name == name)
        text = sheets.sheet(exercise)
        for target, code in statements.items():
            text, count = re.subn(rf"(?m)^    {target} = \.\.\.", f"    {target} = {code}", text)
            assert count == 1
        verdict = grade(exercise, write(tmp_path, exercise, text))
        assert verdict.status == "wrong", verdict.text
        return verdict.text

    return fill


def test_the_readme_shows_what_a_check_says(said):
    text = said("linear", grad_bias="grad_y.mean(axis=0)")
    block = README.read_text().partition("is shown on one screen:\n\n")[2].partition("\n\nThe cases")[0]
    head, _, sample = textwrap.dedent(block).partition("\n\n")
    assert head.splitlines()[0] == "linear: a matrix product and a broadcast"
    assert sample == text


@pytest.mark.parametrize(
    ("bias", "words"),
    [
        ("grad_y.sum(axis=1)", "grad_bias has the shape (4,); bias has (2,), and so must its gradient."),
        ("grad_y.mean(axis=0)", "The first wrong line is line 37:"),
    ],
)
def test_the_first_line_that_goes_wrong_is_shown(said, bias, words):
    text = said("linear", grad_bias=bias, grad_weight="x.T @ grad_y", grad_x="grad_y @ weight")
    assert words in text
    assert "37 > grad_bias" in text
    assert "38 > grad_weight" not in text


def test_the_prediction_minus_the_truth_alone_is_named(said):
    text = said(
        "cross_entropy",
        grad_logp="None",
        grad_z="np.exp(logp) - (np.arange(len(weight)) == label[:, None])",
        grad_x="grad_z",
    )
    words = "-> grad_x: softmax(x) - onehot(target) alone: left out are ignore_index, grad_y, the mean's 1/N"
    assert words in " ".join(text.split())


def test_a_missing_scale_of_dropout_is_named(said):
    text = said("dropout", factor="draw", y="x * factor", grad_x="grad_y * factor")
    assert "y (4,): 1 of 4 elements is wrong." in text
    assert "dropout's factor 1/(1-p) is missing, p = 0.5" in " ".join(text.split())


def test_the_maximum_that_softmax_subtracts_is_no_path(said):
    text = " ".join(said("softmax", grad_x="grad_y * (e / t) * (1 - e / t)").split())
    assert "it should be the gradient of x: grad(z)." in text
