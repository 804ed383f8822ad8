"""The race is run by both engines alike, and nothing is claimed unasked."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import cli, engines
from benchmarks.speed import race
from benchmarks.tasks import mnist
from parity_tests.tests.commands.test_cli import refused
from parity_tests.tests.runs.test_fast import few_images

ROWS = 2 * race.BATCH


class Fast(race.Racer):
    """A racer that takes the fast loop even where the plain one would do."""

    fast = True


@pytest.fixture(scope="module")
def data():
    return few_images(ROWS)


def test_the_learning_rate_goes_up_and_down_once():
    rates = np.array(race.learning_rates(480))
    turn = rates.argmax()
    assert rates[0] == pytest.approx(race.TOP_RATE / 25)
    assert rates[turn] == pytest.approx(race.TOP_RATE)
    assert (np.diff(rates[: turn + 1]) > 0).all()
    assert (np.diff(rates[turn:]) < 0).all()


def test_both_engines_run_the_same_race(data):
    by_hand, by_torch = (race.run(race.Racer(engines.get(name)), data, 0) for name in engines.NAMES)
    assert by_hand.accuracy == pytest.approx(by_torch.accuracy, abs=0.05)
    assert by_hand.seconds > 0
    assert race.run(Fast(engines.get("torch")), data, 0).accuracy == pytest.approx(by_torch.accuracy, abs=0.05)


def test_the_table_says_who_reached_the_target(monkeypatch, capsys, data):
    monkeypatch.setattr(mnist, "TASK", replace(mnist.TASK, load=lambda folder: data))
    assert cli.main(["race", "--seeds", "1", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "scratch cpu fp32" in said
    assert "torch cpu fp32" in said
    assert "of 1" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "--seeds: expected 1 or more"),
        (["--precision", "fp64"], "fp64"),
        (["--precision", "tf32", "--device", "cpu"], "the CPU has no tf32"),
        (["--engine", "scratch", "--precision", "bf16"], "computes on the CPU in fp32"),
        (["--engine", "scratch", "--device", "cuda"], "computes on the CPU in fp32"),
        (["--device", "abacus"], "expected auto, cpu"),
    ],
)
def test_usage_errors_are_one_line(capsys, words, message):
    assert message in refused(capsys, 2, ["race", *words])


def test_an_absent_device(capsys):
    assert "CUDA device" in refused(capsys, 1, ["race", "--device", "cuda:99"])
