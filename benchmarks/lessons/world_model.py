r"""World model: encode, predict, decode, dream; and a controller that learns in the dream alone.

A frame is nearly two thousand numbers, and most of them say nothing. A world model has three parts:

    encode    mu, s = encoder(frame);  z = mu + exp(s / 2) eps        a code of a few numbers, with a spread
    predict   h_t = GRU([z_t, a_t], h_(t-1))
              p(z_(t+1) - z_t) = sum_k pi_k N(m_k, sigma_k)           a mixture: the future may go one way or another
              p(r_t = 1) = sigma(w h_t + b)                           whether the pole still stands
    decode    frame = decoder(z)

and the dream is the loop that is left when no more frames come in: draw z_(t+1) from the prediction, and predict on.

The VAE is trained on single frames, the dynamics on the codes of the games played. Each loss is a negative
log-likelihood; the VAE's adds beta times the divergence of the codes from N(0, 1), with beta = 0.1 here,

    L_frame    = BCE(decoder(z), frame) - beta/2 sum (1 + s - mu^2 - exp(s))
    L_dynamics = -log p(z_(t+1) - z_t) + BCE(w h_t + b, r_t)

and every gradient is written by hand (scratch/world_model.py). It shows three sums that autograd would hide: the code's
gradient goes to the mean and to the spread; the encoder's features feed two heads; and mean and spread are read by the
decoder and by the loss. The noise eps is drawn outside the network, which makes z a differentiable function of mu and
s; drawing z itself would have no derivative (the reparameterization trick).

A frame does not show how fast the pole moves. The state h has to work that out from the frames before.

The dream is compared with what happened: both begin with the same frames and get the same actions; after that the model
is on its own. Its error grows with the horizon, because each step starts from the step before; the figure shows by how
much, beside the error of a model that says that nothing moves.

The controller. The same dynamics, trained on CartPole's four numbers instead of codes, is a simulator. A policy and its
critic learn in it by the actor-critic of `backprop lesson policy`, without one real step; then the policy plays real
episodes, what it saw is added to the data, and the model learns again, for eight rounds. A model is wrong where it has
seen nothing, and a policy looks for just such places: in dreams without an end it found poles that never fall, and
outside they fell at once. So each dream begins in a state that was seen, and ends after 24 steps; the critic estimates
what comes later. The table shows how the real return goes up and down from round to round, for a small share of the
real steps that the actor-critic took.

In reinforcement learning. This is the plan of World Models (Ha and Schmidhuber, 2018: VAE, MDN-LSTM, and a linear
controller). PlaNet and Dreamer (Hafner et al., 2019, 2020) train all parts together on sequences, with a GRU and a
latent that is drawn at each step. Dreamer's actor and critic learn in the dream, as here, and the actor's gradient even
goes through the dynamics. DreamerV2 and V3 (2021, 2023) have categorical latents. MuZero (Schrittwieser et al., 2020)
predicts rewards and values, and no frames at all.

Takeaways. A world model is three networks that were in this course already: an encoder, a recurrent layer, a decoder.
It saves real steps and costs computing. A policy exploits its model's mistakes. Going back to the real world mends
them.

Next: Markov chains and decision processes, the mathematics of what a world model predicts: states, transitions, returns
and the Bellman equation (Sutton and Barto, Reinforcement learning: an introduction, 2018, chapter 3). The course ends
here.

Read: scratch/world_model.py, scratch/nn/gru.py, scratch/nn/conv_transpose.py, scratch/distributions/mixture.py
Run:  backprop lesson world-model
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREY, ORANGE, engine_key, line, picture, sheet
from benchmarks.lessons.support.dreaming import Dream, Played, likeliest_change, one_hot, play, windows
from benchmarks.tasks import cartpole
from benchmarks.tasks.cartpole import Actor, Curve, Recipe

LATENT, HIDDEN, WATCHED, WATCHED_STEPS = 8, 64, 32, 60
VAE_STEPS, VAE_BATCH, BETA = 800, 32, 0.1
LENGTH, SEQUENCES, DYNAMICS_STEPS, LR, MAX_NORM = 12, 64, 500, 2e-3, 1.0
SEEN, AHEAD, DREAMS = 4, 16, 64
ROUNDS, PLAYERS, REAL_STEPS, STATE_STEPS = 8, 32, 100, 800
IN_DREAM = Recipe(environments=64, horizon=8, updates=400)
OUTSIDE = Recipe()
AT_MOST, EPISODES = 24, 100


class Watching(NamedTuple):
    """What an engine learned from the frames: losses, and a dream beside what happened.

    Attributes
    ----------
    frame_losses, dynamics_losses : list of float
    real, dreamt : numpy.ndarray
        Frames (AHEAD, DREAMS, 32, 60): as they were, and as the model predicted them without looking.
    errors, still : numpy.ndarray
        (AHEAD,): the mean squared error of the dream's pixels, and that of the last frame seen.
    seconds : float
    """

    frame_losses: list[float]
    dynamics_losses: list[float]
    real: np.ndarray
    dreamt: np.ndarray
    errors: np.ndarray
    still: np.ndarray
    seconds: float


class Round(NamedTuple):
    """A round of learning in the dream: real steps used so far, and mean returns inside and outside."""

    real_steps: int
    dreamt: float
    returns: np.ndarray
    seconds: float


def learn_frames(engine: Engine, frames: np.ndarray, seed: int) -> tuple[object, list[float]]:
    """Train a VAE on frames (N, 1, 32, 60); return it, and its losses."""
    engine.manual_seed(seed)
    model = engine.world_model.FrameVAE(LATENT, dtype=engine.dtype)
    criterion, optimizer = engine.world_model.FrameLoss(BETA), engine.optim.Adam(model.parameters(), lr=3e-3)
    rng, losses = np.random.default_rng(seed), []
    for _ in range(VAE_STEPS):
        x = frames[rng.integers(0, len(frames), VAE_BATCH)]
        noise = rng.normal(size=(VAE_BATCH, LATENT)).astype(np.float32)
        losses.append(engine.loss_backward(model, criterion, (x, noise), x))
        optimizer.step()
    return model, losses


def learn_dynamics(
    engine: Engine, model: object, played: list[Played], codes: list[np.ndarray], steps: int, seed: int
) -> list[float]:
    """Train the dynamics on codes (T + 1, E, latent) of what was played; return the losses."""
    criterion, optimizer = engine.world_model.DynamicsLoss(), engine.optim.Adam(model.parameters(), lr=LR)
    places = [(which, *place) for which, one in enumerate(played) for place in windows(one, LENGTH)]
    rng, losses = np.random.default_rng(seed), []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 - 0.9 * step / steps)
        chosen = [places[index] for index in rng.integers(0, len(places), SEQUENCES)]
        z = np.stack([codes[which][t : t + LENGTH + 1, e] for which, t, e in chosen])
        actions = np.stack([played[which].actions[t : t + LENGTH, e] for which, t, e in chosen])
        rewards = np.stack([played[which].rewards[t : t + LENGTH, e] for which, t, e in chosen]).astype(np.float32)
        targets = np.diff(z, axis=1), rewards
        losses.append(engine.loss_backward(model, criterion, (z[:, :-1], one_hot(actions)), *targets))
        engine.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
    return losses


def watch(engine: Engine, played: Played, test: Played, seed: int) -> Watching:
    """Learn to see and to predict, then look at the first frames of some episodes and dream on."""
    started = time.perf_counter()
    vae, frame_losses = learn_frames(engine, played.frames.reshape(-1, *played.frames.shape[2:]), seed)

    def encoded(frames: np.ndarray) -> np.ndarray:
        flat = frames.reshape(-1, *frames.shape[2:])
        return engine.numpy(vae.encode(engine.asarray(flat))).reshape(*frames.shape[:2], LATENT)

    model = engine.world_model.Dynamics(LATENT, cartpole.ACTIONS, HIDDEN, dtype=engine.dtype)
    dynamics_losses = learn_dynamics(engine, model, [played], [encoded(played.frames)], DYNAMICS_STEPS, seed)
    places = windows(test, SEEN + AHEAD)[:: max(len(windows(test, SEEN + AHEAD)) // DREAMS, 1)][:DREAMS]
    frames = np.stack([test.frames[t : t + SEEN + AHEAD + 1, e] for t, e in places], axis=1)
    actions = np.stack([test.actions[t : t + SEEN + AHEAD, e] for t, e in places], axis=1)
    seen, state, dreamt = encoded(frames[: SEEN + 1]), None, []
    following = seen[0]
    for step in range(SEEN + AHEAD):
        z = seen[step] if step <= SEEN else following
        outputs, state = engine.world_model.dream(
            model, engine.asarray(z), engine.asarray(one_hot(actions[step])), state
        )
        logits, mean = (engine.numpy(output) for output in outputs[:2])
        following = (z + likeliest_change(logits, mean)).astype(np.float32)
        if step >= SEEN:
            dreamt.append(engine.numpy(vae.decode(engine.asarray(following)))[:, 0])
    real, dreamt = frames[SEEN + 1 :, :, 0], np.array(dreamt)
    errors, still = (((real - guess) ** 2).mean(axis=(1, 2, 3)) for guess in (dreamt, frames[SEEN, :, 0]))
    return Watching(frame_losses, dynamics_losses, real, dreamt, errors, still, time.perf_counter() - started)


def control(engine: Engine, seed: int) -> list[Round]:
    """Learn a policy in the dream, play with it, learn the model again, and so on."""
    started = time.perf_counter()
    played = [play(PLAYERS, REAL_STEPS, seed)]
    engine.manual_seed(seed)
    actor = Actor(engine)
    model = engine.world_model.Dynamics(cartpole.STATE, cartpole.ACTIONS, HIDDEN, dtype=engine.dtype)
    spread = played[0].states.reshape(-1, cartpole.STATE).std(axis=0).astype(np.float32)
    rounds = []
    for number in range(ROUNDS):
        codes = [(one.states / spread).astype(np.float32) for one in played]
        learn_dynamics(engine, model, played, codes, STATE_STEPS, seed + number)
        starts = np.concatenate([one.states[:-1][one.real] for one in played])
        dream = Dream(engine, model, spread, starts, IN_DREAM.environments, LENGTH, AT_MOST, seed + number)
        players, curve = cartpole.Players(IN_DREAM, seed + number, (dream, dream.states)), Curve()
        cartpole.learn(actor, players, curve)
        ended = [steps for _, steps in curve.episodes[-EPISODES:]] or [cartpole.LONGEST]
        returns = cartpole.evaluate(actor, EPISODES, seed + 20_000)
        used = sum(int(one.real.sum()) for one in played)
        rounds.append(Round(used, float(np.mean(ended)), returns, time.perf_counter() - started))
        played.append(play(PLAYERS, REAL_STEPS, seed + 100 + number, actor))
    return rounds


def draw_dream(watched: dict[str, Watching]) -> Figure:
    """Draw real frames above dreamt ones, and the error against the horizon."""
    shown = (0, 2, 4, 7, 11, 15)
    rows = 1 + len(watched)
    heights = {"height_ratios": [1] * rows + [2.6]}
    title = "What happened, and what was dreamt"
    figure, every = sheet(rows + 1, len(shown), 0.9 * rows + 3.4, title, gridspec_kw=heights)
    first = next(iter(watched.values()))
    moving = int(np.argmax(((first.real[-1] - first.real[0]) ** 2).mean(axis=(1, 2))))  # in the others less happens
    for column, ahead in enumerate(shown):
        picture(every[0, column], first.real[ahead, moving], f"step {ahead + 1}", cmap="gray_r", vmin=0, vmax=1)
        for row, one in enumerate(watched.values(), 1):
            picture(every[row, column], one.dreamt[ahead, moving], cmap="gray_r", vmin=0, vmax=1)
    for row, name in enumerate(("real", *(f"dreamt,\n{name}" for name in watched))):
        every[row, 0].set_ylabel(name, fontsize=8)
    grid = every[rows, 0].get_gridspec()
    for axes in every[rows]:
        axes.remove()
    axes = figure.add_subplot(grid[rows, :])
    steps = np.arange(1, AHEAD + 1)
    line(axes, steps, {name: one.errors for name, one in watched.items()}, BLUE, "the dream")
    line(axes, steps, {name: one.still for name, one in watched.items()}, ORANGE, "nothing moves")
    axes.set(xlabel="steps ahead, without looking", ylabel="squared error a pixel", ylim=(0, None))
    axes.legend(loc="upper left")
    engine_key(figure, list(watched))
    return figure


def draw_losses(watched: dict[str, Watching]) -> Figure:
    """Draw the losses of both trainings."""
    figure, ((left, right),) = sheet(1, 2, 3.4, "Learning to see, and to predict")
    line(left, np.arange(VAE_STEPS), {name: one.frame_losses for name, one in watched.items()}, BLUE)
    left.set(title="VAE: a frame", xlabel="step", ylabel="nats", yscale="log")
    line(right, np.arange(DYNAMICS_STEPS), {name: one.dynamics_losses for name, one in watched.items()}, BLUE)
    right.set(title="dynamics: a number of the code, and the reward", xlabel="step", ylabel="nats")
    right.axhline(0, color=GREY, lw=0.8)
    engine_key(figure, list(watched))
    return figure


def run(board: Blackboard) -> None:
    """Watch, dream, and learn in the dream."""
    played = play(WATCHED, WATCHED_STEPS, board.seed, drawn=True)
    test = play(WATCHED, WATCHED_STEPS, board.seed + 1, drawn=True)
    engines = board.engines()
    watched = {engine.name: watch(engine, played, test, board.seed) for engine in engines}
    board.table(
        f"A dream of {AHEAD} steps after {SEEN} frames: squared error a pixel, {DREAMS} dreams",
        ("", *(f"{ahead} ahead" for ahead in (1, 4, 8, AHEAD)), "nothing moves, 8", "seconds"),
        [
            (
                name,
                *(f"{one.errors[ahead - 1]:.5f}" for ahead in (1, 4, 8, AHEAD)),
                f"{one.still[7]:.5f}",
                f"{one.seconds:.0f}",
            )
            for name, one in watched.items()
        ],
    )
    board.figure("world_model_dream", draw_dream(watched))
    board.figure("world_model_losses", draw_losses(watched))
    board.differences(
        {
            "losses of the VAE, first 50 steps": [one.frame_losses[:50] for one in watched.values()],
            "losses of the dynamics, first 50 steps": [one.dynamics_losses[:50] for one in watched.values()],
        }
    )

    rows = []
    for engine in engines:
        for number, one in enumerate(control(engine, board.seed), 1):
            returns = f"{one.returns.mean():.1f}", f"{one.returns.min():.0f}"
            rows.append(
                (
                    f"{engine.name}, in the dream, round {number}",
                    one.real_steps,
                    f"{one.dreamt:.0f}",
                    *returns,
                    f"{one.seconds:.0f}",
                )
            )
    for engine in engines[:1]:
        actor, curve = cartpole.train(engine, board.seed, OUTSIDE)
        returns = cartpole.evaluate(actor, EPISODES, board.seed + 20_000)
        steps = sum(len(actions) for actions in curve.actions)
        score = f"{returns.mean():.1f}", f"{returns.min():.0f}"
        rows.append((f"{engine.name}, actor-critic of lesson policy", steps, "", *score, f"{curve.seconds:.0f}"))
    columns = ("CartPole from its state", "real steps", "mean return dreamt", "mean return", "smallest", "seconds")
    board.table(f"{EPISODES} real episodes of the likelier action", columns, rows)
