"""Each exhibit of the museum is caught by exactly the witnesses on record, and the right layers by none."""

import argparse
from dataclasses import fields

import numpy as np
import pytest

from benchmarks.commands import mistakes
from benchmarks.errors import Failure
from parity_tests import museum
from parity_tests.museum import EXHIBITS, WITNESSES
from scratch import actor_critic, models, nn, optim, policy_gradient

VERDICTS = ("wrong", "caught", "passes_ones", "of")


def setting(exhibit):
    """Return what decides how the right one fares: several exhibits of one layer often share it."""
    return type(exhibit), *(hashable(getattr(exhibit, f.name)) for f in fields(exhibit) if f.name not in VERDICTS)


def hashable(value):
    """Return a value with the content of its arrays in their place."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, dict):
        return hashable(tuple(value.items()))
    return tuple(map(hashable, value)) if isinstance(value, tuple | list) else value


SETTINGS = {setting(exhibit): exhibit for exhibit in EXHIBITS}
each_right_one = pytest.mark.parametrize(
    "exhibit", SETTINGS.values(), ids=[exhibit.wrong.__name__ for exhibit in SETTINGS.values()]
)
each_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS, ids=[exhibit.wrong.__name__ for exhibit in EXHIBITS])


def public_names():
    """Return the public names other than layers and losses; for those see test_adding_a_layer.py."""
    return (
        {"Module", "Parameter"}
        | (set(optim.__all__) - {"lr_scheduler"})
        | set(optim.lr_scheduler.__all__)
        | {
            thing.__name__
            for thing in (
                models.ActorCritic,
                actor_critic.ActorCriticLoss,
                policy_gradient.PolicyGradientLoss,
                policy_gradient.Entropy,
                nn.init.kaiming_uniform_,
                nn.init.xavier_uniform_,
                nn.utils.clip_grad_norm_,
                nn.utils.clip_grad_value_,
            )
        }
    )


def test_the_museum_is_large_and_everything_public_has_its_share():
    assert len(EXHIBITS) >= 100
    assert {name for exhibit in EXHIBITS for name in exhibit.of} >= public_names()
    assert len({exhibit.wrong.__name__ for exhibit in EXHIBITS}) == len(EXHIBITS)


@each_exhibit
def test_each_exhibit_is_caught_by_the_witnesses_on_record(exhibit):
    found = exhibit.witnesses(exhibit.wrong)
    assert tuple(name for name in WITNESSES if found[name]) == exhibit.caught
    assert exhibit.caught


@each_right_one
def test_the_right_one_is_not_accused(exhibit):
    assert not any(exhibit.witnesses(exhibit.right).values())
    assert not exhibit.ones_object(exhibit.right)


@each_exhibit
def test_the_check_with_ones_sees_what_is_on_record(exhibit):
    objects = exhibit.ones_object(exhibit.wrong)
    assert (None if objects is None else not objects) == exhibit.passes_ones


@each_exhibit
def test_each_exhibit_says_what_was_forgotten_and_what_is_seen(exhibit):
    for words in (exhibit.forgotten, exhibit.seen):
        assert words.endswith((".", ".)"))
        assert len(words) > 20


def test_every_witness_misses_something_and_the_check_with_ones_most():
    """Hence there are three witnesses."""
    for witness in ("differences", "laws"):
        assert any(witness not in exhibit.caught for exhibit in EXHIBITS)
    asked = [exhibit for exhibit in EXHIBITS if exhibit.passes_ones is not None]
    assert sum(exhibit.passes_ones for exhibit in asked) > len(asked) / 3


def test_the_command_prints_them_and_fails_if_one_gets_away(monkeypatch, capsys):
    shown = [exhibit for exhibit in EXHIBITS if exhibit.wrong.__name__ in ("ZeroPays", "BiasAveraged", "DecayTwice")]
    monkeypatch.setattr(museum, "EXHIBITS", shown)
    assert mistakes.run(argparse.Namespace()) == 0
    printed = capsys.readouterr().out
    assert "3 mistakes, 3 caught. PyTorch: 3 of 3. finite differences: 1 of 2. laws: 2 of 3." in printed
    assert "The check with ones: 1 of 2." in printed
    assert [line.split()[-2:] for line in printed.splitlines() if "zero pays" in line] == [["alone", "passes!"]]
    monkeypatch.setattr(
        type(shown[0]), "witnesses", lambda self, subject: {"torch": False, "differences": None, "laws": False}
    )
    with pytest.raises(Failure, match="nobody catches"):
        mistakes.run(argparse.Namespace())
