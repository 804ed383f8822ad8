"""How long two runs stay identical: the comparison itself, and the command over finished runs."""

import math

import numpy as np
import pytest

from benchmarks import cli
from benchmarks.runs import drift


def test_identical_runs_never_differ():
    found = drift.between([0.5, 0.25, math.nan], [0.5, 0.25, math.nan])
    assert found.first is None
    assert found.largest == 0


def test_the_first_difference_and_the_largest_are_found():
    found = drift.between([1.0, 2.0, 3.0, 4.0], [1.0, 2.0 * (1 + 2**-40), 3.3, 4.0])
    assert found.first == 2
    assert found.largest_step == 3
    np.testing.assert_allclose(found.relative, [0, 2**-40, 0.3 / 3.3, 0], rtol=1e-9)


def test_a_loss_that_only_one_run_lost_is_infinitely_far():
    assert drift.between([1.0, math.nan], [1.0, 2.0]).largest == math.inf
    assert drift.between([math.inf, 1.0], [2.0, 1.0]).first == 1


def test_runs_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        drift.between([1.0], [1.0, 2.0])


def test_the_words_say_in_which_step_the_losses_first_differed():
    one = [1.0, 2.0, 3.0]
    assert drift.between(one, [1.1, 2.0, 3.0]).words() == "first differing in step 1"
    assert drift.between(one, [1.0, 2.0, 3.1]).words() == "first differing in step 3"
    assert drift.between(one, one).words() == "the same to the last bit in every step"


def test_the_command_compares_runs_and_draws(tmp_path, capsys):
    runs = []
    for dtype in ("float32", "float64"):
        runs.append(str(tmp_path / dtype))
        status = cli.main(["train", "moons", "--device", "cpu", "--epochs", "2", "--dtype", dtype, "--out", runs[-1]])
        assert status == 0
    capsys.readouterr()
    figure = tmp_path / "drift.png"
    assert cli.main(["drift", *runs, "--out", str(figure)]) == 0
    shown = capsys.readouterr().out
    assert "float32" in shown
    assert "float64" in shown
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "float64" / "drift.png").exists()


def test_a_run_of_one_engine_has_nothing_to_compare(tmp_path, capsys):
    run = str(tmp_path / "run")
    assert cli.main(["train", "moons", "--epochs", "1", "--engine", "scratch", "--out", run]) == 0
    assert cli.main(["drift", run]) == 2
    assert "expected one of both engines" in capsys.readouterr().err
