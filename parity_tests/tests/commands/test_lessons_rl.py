"""The reinforcement-learning lessons: the environments, what is computed around the engines, and short runs of each."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import cli, engines, lessons
from benchmarks.errors import Failure
from benchmarks.lessons import atari, policy
from benchmarks.tasks import cartpole, environments, pong


def needs(*packages):
    """Return the mark of a test that is skipped where a package of the rl extra is missing."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"the rl extra is not installed: {', '.join(missing)}")


needs_gymnasium, needs_atari = needs("gymnasium"), needs("gymnasium", "ale_py", "cv2")


@pytest.fixture
def board(tmp_path):
    return lessons.Blackboard(engines.NAMES, 0, tmp_path / "figures", tmp_path)


# Around the engines.


def test_advantages_are_the_discounted_sums_of_the_surprises_up_to_the_episodes_end():
    rng, gamma, trace = np.random.default_rng(0), 0.9, 0.7
    rewards, values = rng.normal(size=(6, 2)), rng.normal(size=(7, 2))
    fell, cut = np.zeros((6, 2), bool), np.zeros((6, 2), bool)
    fell[2, 0], cut[3, 1] = True, True
    got = cartpole.generalized_advantages(rewards, values, fell, fell | cut, gamma, trace)
    for environment, last in ((0, 2), (1, 3)):
        for start in range(6):
            end = last if start <= last else 5
            expected = 0.0
            for t in range(start, end + 1):
                following = 0.0 if fell[t, environment] else gamma * values[t + 1, environment]
                surprise = (1 - gamma) * rewards[t, environment] + following - values[t, environment]
                expected += (gamma * trace) ** (t - start) * surprise
            np.testing.assert_allclose(got[start, environment], expected, rtol=1e-12)


def test_a_perfect_critic_is_never_surprised():
    gamma, rewards = 0.9, np.ones((5, 1))
    left = np.arange(5, -1, -1)[:, None]  # steps until the pole falls
    values = 1 - gamma**left
    fell = np.array([[False]] * 4 + [[True]])
    np.testing.assert_allclose(cartpole.generalized_advantages(rewards, values, fell, fell, gamma, 0.95), 0, atol=1e-15)


def test_actions_are_drawn_with_their_probabilities():
    rng = np.random.default_rng(0)
    probabilities = np.tile(np.float32([0.2, 0.0, 0.5, 0.3]), (20_000, 1))
    shares = np.bincount(environments.draw(rng, probabilities), minlength=4) / 20_000
    assert shares[1] == 0
    np.testing.assert_allclose(shares, probabilities[0], atol=0.015)


def test_an_action_is_drawn_where_probabilities_fall_short_of_one():
    class Unlucky:
        def random(self, shape):
            return np.full(shape, 1 - 2**-53)

    assert environments.draw(Unlucky(), np.full((1, 3), 0.333)).tolist() == [2]


def test_the_teacher_follows_the_ball():
    memory = np.zeros(128, np.uint8)
    memory[pong.PADDLE_HEIGHT] = 100
    answers = []
    for ball in (0, 50, 97, 150):
        memory[pong.BALL_HEIGHT] = ball
        answers.append(pong.teacher(memory))
    assert answers == [pong.STAY, pong.UP, pong.STAY, pong.DOWN]


def test_the_critic_is_taught_the_next_point():
    points = pong.next_points(np.array([0.0, 0.0, 1.0, 0.0, -1.0, 0.0]), 0.5)
    assert points.tolist() == [0.25, 0.5, 1.0, -0.5, -1.0, 0.0]


# CartPole.


@needs_gymnasium
def test_no_row_of_a_batch_is_the_step_that_only_resets():
    recipe = cartpole.Recipe(environments=3, horizon=60)
    players, ended = cartpole.Players(recipe, seed=0), []
    actor = cartpole.Actor(engines.get("scratch"))
    batch = players.play(actor, ended.append)
    resets = len(ended) - int(players.over.sum())
    assert len(ended) > 3
    assert len(batch.states) == 3 * 60 - resets
    assert sum(ended) + int(players.standing.sum()) == len(batch.states)


@needs_gymnasium
def test_in_float64_both_engines_play_the_same_game():
    recipe = cartpole.Recipe(environments=4, updates=40)
    curves = [cartpole.train(engines.get(name, "float64"), 7, recipe)[1] for name in engines.NAMES]
    assert policy.first_parting(*curves) is None
    np.testing.assert_allclose(curves[0].terms, curves[1].terms, rtol=1e-9, atol=1e-12)
    assert curves[0].evaluations == curves[1].evaluations


@needs_gymnasium
def test_the_policy_lesson_leaves_its_tables_and_figures(board, capsys):
    policy.run(board, cartpole.Recipe(environments=4, updates=20), seeds=2)
    assert {path.name for path in board.out.iterdir()} == {"policy_curves.png", "policy_map.png"}
    shown = capsys.readouterr().out
    assert "policy gradient, w = 1" in shown
    assert "Seed 1: both engines play the same game" in shown


def test_with_weight_one_each_engines_policy_loss_is_its_cross_entropy():
    for name in engines.NAMES:
        engine = engines.get(name, "float64")
        (loss, grad), (classifiers, grads) = policy.weighted_row(engine, 1.0), policy.weighted_row(engine, None)
        assert loss == pytest.approx(classifiers, rel=1e-14)
        np.testing.assert_allclose(grad, grads, rtol=1e-14)


# Pong.


@needs_atari
def test_the_atari_lesson_leaves_its_tables_and_figures(board, capsys, monkeypatch):
    monkeypatch.setattr(atari, "REPEATS", 1)
    atari.run(board, pong.Recipe(states=60, test_states=20, updates=3, batch_size=4))
    assert {path.name for path in board.out.iterdir()} == {"atari_frames.png", "atari_learning.png"}
    shown = capsys.readouterr().out
    assert "gradients of the backbone's weights" in shown
    assert "States a second" in shown


@needs_atari
def test_a_state_is_four_grey_frames_and_the_same_seed_gives_the_same_games():
    one, other = (pong.watch(pong.Recipe(states=30, test_states=10), seed=5) for _ in range(2))
    assert one.states.shape == (40, 4, 84, 84)
    assert one.states.dtype == np.uint8
    np.testing.assert_array_equal(one.states[1, :3], one.states[0, 1:])
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(one.actions, other.actions)


# What is missing.


@pytest.mark.parametrize("lesson", ["policy", "atari"])
def test_where_gymnasium_is_missing_one_line_names_the_extra(lesson, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    assert cli.main(["lesson", lesson, "--engine", "scratch", "--out", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "rl extra" in line
    assert "[rl]" in line


@needs_atari
@pytest.mark.parametrize("missing", ["ale_py", "cv2"])
def test_where_a_part_of_the_extra_is_missing_the_message_names_it(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(Failure, match="rl extra"):
        environments.pong(0)


@needs_gymnasium
def test_an_environment_that_does_not_start_is_named(monkeypatch):
    import gymnasium

    def broken(*args, **kwargs):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(gymnasium, "make_vec", broken)
    with pytest.raises(Failure, match=r"CartPole-v1 did not start: RuntimeError: no such luck"):
        environments.cartpole(1, 0)
