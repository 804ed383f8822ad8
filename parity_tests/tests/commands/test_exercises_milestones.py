"""Milestones: networks on a learner's functions, step by step beside PyTorch's."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.exercises import catalogue, cutting, folder
from benchmarks.exercises.milestones import child, networks
from benchmarks.exercises.milestones.learners import Learners, engine
from scratch.nn.linear import linear, linear_backward

NAMES = ["relu", "linear", "cross_entropy", "adam", "actor_critic", "actor_critic_loss", "policy_gradient", "tanh"]


@pytest.fixture
def solved(tmp_path):
    """Return a folder in which some exercises are solved with the originals."""
    path = tmp_path / "exercises"
    path.mkdir()
    place = folder.Folder(path)
    for name in NAMES:
        exercise = catalogue.named(name)
        place.file(exercise).write_text(cutting.solution_of(exercise))
    return place


def test_two_moons_are_learned_as_torch_learns_them(solved):
    lines = []
    plan = replace(networks.PLANS["mlp"], epochs=3)
    learners = Learners(solved.path, NAMES)
    found = networks.train(plan, learners, lines.append)
    assert found.parted is None
    np.testing.assert_allclose(found.losses["yours"], found.losses["torch"], rtol=1e-9)
    assert found.accuracies[-1] > 0.8
    assert {"relu", "linear", "cross_entropy", "adam"} <= set(learners.used)
    assert len(lines) == 3
    assert max(map(len, lines)) < 80


def test_where_a_layer_parts_from_torch_it_is_named(solved):
    path = solved.file(catalogue.named("linear"))
    path.write_text(path.read_text().replace("grad_y.sum(axis=0)", "grad_y.mean(axis=0)"))
    found = networks.train(networks.PLANS["mlp"], Learners(solved.path, NAMES), lambda line: None)
    step, what, distance = found.parted
    assert step == 1
    assert what == "the gradient of net.6.bias"
    assert distance > 0.9


def test_what_is_shown(solved, capsys, monkeypatch):
    monkeypatch.setitem(networks.PLANS, "mlp", replace(networks.PLANS["mlp"], epochs=3, accuracy=0.8))
    said = []
    monkeypatch.setattr(child, "say", lambda line="": said.append(line))
    path = solved.file(catalogue.named("relu"))
    path.write_text(path.read_text().replace("    (y,) = saved", "    (y,) = saved\n    print('flood')"))
    assert child.main("mlp", str(solved.path), ",".join(NAMES)) == 0
    text = "\n".join(said)
    assert "flood" not in text + capsys.readouterr().out
    assert "with your own backward passes" in text
    assert (solved.path / "milestone_mlp.png").is_file()


def test_a_file_that_is_broken_meanwhile_is_said_to_be(solved, monkeypatch):
    said = []
    monkeypatch.setattr(child, "say", lambda line="": said.append(line))
    solved.file(catalogue.named("relu")).write_text("x = (\n")
    assert child.main("mlp", str(solved.path), ",".join(NAMES)) == 1
    assert "01_relu.py, line 1" in "\n".join(said)
    text = cutting.solution_of(catalogue.named("relu"))
    solved.file(catalogue.named("relu")).write_text(text.replace("    (y,) = saved", "    y = nothing"))
    said.clear()
    assert child.main("mlp", str(solved.path), ",".join(NAMES)) == 1
    assert "NameError" in "\n".join(said)


def test_the_engine_plays_with_the_learners_critic(solved):
    learners = Learners(solved.path, NAMES)
    playing = engine(learners, "float32")
    playing.manual_seed(0)
    nn = playing.nn
    backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    model = playing.place(playing.models.ActorCritic(backbone, 8, 2))
    criterion = playing.actor_critic.ActorCriticLoss(nn.MSELoss(), 0.5, 0.01)
    assert {"ActorCritic", "ActorCriticLoss", "linear", "tanh"} <= set(learners.used)
    assert model.backbone[0].functions != (linear, linear_backward)
    rng = np.random.default_rng(0)
    states, rows = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(2, 6)).astype(np.float32)
    optimizer = playing.optim.Adam(model.parameters(), lr=1e-2)
    losses = [
        playing.actor_critic.update(model, criterion, optimizer, states, rng.integers(0, 2, 6), *rows).loss
        for _ in range(5)
    ]
    assert np.isfinite(losses).all()
