"""The lesson on world models: the models in both engines, the dream, and a short run of it all."""

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import engines
from benchmarks.lessons import Blackboard, teach, world_model
from benchmarks.lessons.support import dreaming
from benchmarks.tasks.cartpole import Recipe
from scratch import nn, no_grad, sequence_models

RNG = np.random.default_rng(0)
MISSING = [package for package in ("gymnasium", "pygame") if find_spec(package) is None]
needs_cartpole = pytest.mark.skipif(bool(MISSING), reason=f"the rl extra is not installed: {', '.join(MISSING)}")


def both(name, *args):
    """Return both engines, each with its model, in float64 and with the same weights."""
    pair = [engines.get(engine, "float64") for engine in engines.NAMES]
    models = []
    for engine in pair:
        engine.manual_seed(0)
        models.append(getattr(engine.world_model, name)(*args, dtype=engine.dtype))
    pair[1].load_state(models[1], pair[0].state(models[0]))
    return zip(pair, models, strict=True)


def test_the_vae_and_its_loss_have_the_gradients_of_autograd():
    x, noise = RNG.random((3, 1, 32, 60)), RNG.normal(size=(3, 5))
    found = [
        (engine.loss_backward(model, engine.world_model.FrameLoss(0.7), (x, noise), x), engine.grads(model))
        for engine, model in both("FrameVAE", 5)
    ]
    (loss, grads), (expected, references) = found
    assert loss == pytest.approx(expected, rel=1e-12)
    for name, reference in references.items():
        np.testing.assert_allclose(grads[name], reference, rtol=1e-9, atol=1e-12 * np.abs(reference).max())


def test_the_dynamics_and_their_loss_have_the_gradients_of_autograd():
    z, actions = RNG.normal(size=(3, 4, 5)), np.eye(2)[RNG.integers(0, 2, (3, 4))]
    change, rewards = RNG.normal(size=(3, 4, 5)), RNG.integers(0, 2, (3, 4)).astype(float)
    found = [
        (
            engine.loss_backward(model, engine.world_model.DynamicsLoss(), (z, actions), change, rewards),
            engine.grads(model),
        )
        for engine, model in both("Dynamics", 5, 2, 6, 3)
    ]
    (loss, grads), (expected, references) = found
    assert loss == pytest.approx(expected, rel=1e-12)
    for name, reference in references.items():
        np.testing.assert_allclose(grads[name], reference, rtol=1e-9, atol=1e-12 * np.abs(reference).max())


def test_a_validation_without_grad_leaves_the_gradients_as_they_are():
    scratch, _ = both("FrameVAE", 5)
    engine, vae = scratch
    (_, dynamics), _ = both("Dynamics", 5, 2, 6, 3)
    reader = sequence_models.RecurrentReader("GRU", 7, 6, 2, dtype=np.float64)

    def frames(x, noise):
        return (*vae(x, noise), x)

    def predicted(z, actions):
        return (*dynamics(z, actions), z, actions[..., 0])

    cases = (
        (vae, engine.world_model.FrameLoss(0.7), frames, (RNG.random((2, 3, 1, 32, 60)), RNG.normal(size=(2, 3, 5)))),
        (
            dynamics,
            engine.world_model.DynamicsLoss(),
            predicted,
            (RNG.normal(size=(2, 3, 4, 5)), RNG.integers(0, 2, (2, 3, 4, 2)).astype(float)),
        ),
        (
            reader,
            nn.MSELoss(),
            lambda x, y: (reader(x[:, : int(y[0, 0])]), y),
            (RNG.normal(size=(2, 3, 4, 7)), np.array([np.full((3, 2), 3.0), np.full((3, 2), 4.0)])),
        ),
    )
    for model, criterion, run, (first, second) in cases:
        found = []
        for validates in (False, True):
            model.zero_grad()
            criterion(*run(first[0], second[0]))
            if validates:
                with no_grad():
                    criterion(*run(first[1], second[1]))
            grads = criterion.backward()
            model.backward(*(grads if isinstance(grads, tuple) else (grads,)))
            found.append([parameter.grad for parameter in model.parameters()])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_change_is_drawn_from_the_mixture():
    logits = np.log(np.broadcast_to([0.2, 0.8], (20_000, 2)))
    mean, scale = np.broadcast_to([-1.0, 3.0], (20_000, 2)), np.broadcast_to([0.1, 0.2], (20_000, 2))
    drawn = dreaming.draw_change(np.random.default_rng(1), logits, mean, scale)
    assert np.mean(drawn < 1) == pytest.approx(0.2, abs=0.01)
    assert drawn[drawn > 1].std() == pytest.approx(0.2, rel=0.03)
    assert dreaming.likeliest_change(logits[:1], mean[:1]) == pytest.approx(0.2 * -1 + 0.8 * 3)


def test_windows_lie_within_one_episode():
    real = np.ones((6, 2), bool)
    real[3, 0] = False
    played = dreaming.Played(None, np.zeros((7, 2, 4)), np.zeros((6, 2), int), np.ones((6, 2)), real)
    assert dreaming.windows(played, 3) == [(0, 0), (0, 1), (1, 1), (2, 1), (3, 1)]


def test_a_dream_is_cut_off_and_begins_anew_where_something_was_seen():
    engine = engines.get("scratch", "float64")
    model = engine.world_model.Dynamics(4, 2, 6, dtype=engine.dtype)
    starts = np.full((1, 4), 7.0)
    dream = dreaming.Dream(engine, model, np.ones(4), starts, 3, 2, 4, 0)
    model.head.bias.data[-1] = 50.0  # no pole falls
    for step in range(1, 11):
        states, rewards, fell, cut, _ = dream.step(np.array([0, 1, 0]))
        assert not fell.any()
        assert rewards.tolist() == [1, 1, 1]
        assert cut.all() == (step % 5 == 4)
        assert (states == 7).all() == (step % 5 == 0)


@needs_cartpole
def test_the_lesson_shows_both_engines(tmp_path, capsys, monkeypatch):
    short = {
        **{"VAE_STEPS": 3, "DYNAMICS_STEPS": 3, "STATE_STEPS": 3, "ROUNDS": 2, "PLAYERS": 4, "REAL_STEPS": 30},
        **{"WATCHED": 12, "WATCHED_STEPS": 24, "DREAMS": 3, "EPISODES": 2, "LENGTH": 6, "SEEN": 2, "VAE_BATCH": 4},
        "IN_DREAM": Recipe(environments=4, horizon=4, updates=3),
        "OUTSIDE": Recipe(environments=4, horizon=4, updates=3),
    }
    for name, value in short.items():
        monkeypatch.setattr(world_model, name, value)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    teach("world-model", Blackboard(engines.NAMES, 0, tmp_path, tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"world_model_dream.png", "world_model_losses.png"}
    assert "in the dream, round 2" in capsys.readouterr().out
