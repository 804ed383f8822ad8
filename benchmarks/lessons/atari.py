r"""Atari: the same two heads, on an encoder that reads pixels.

Pong's screen is 210 x 160 pixels in colour, sixty times a second. The usual preprocessing turns it into a state that a
small network can read: grey, 84 x 84, every fourth frame, and the last four of these stacked as channels, because one
picture does not tell where the ball is going. The encoder is that of Mnih et al. (Nature, 2015):

    frames    (N, 4, 84, 84)
    conv 1    (N, 32, 20, 20)    8 x 8 filters, every 4 pixels      then ReLU
    conv 2    (N, 64, 9, 9)      4 x 4, every 2                     then ReLU
    conv 3    (N, 64, 7, 7)      3 x 3                              then ReLU
    linear    (N, 512)                                              then ReLU:  the features
    policy    (N, 6)             logits of the six actions
    value     (N,)               the return to be expected

On the way back, the two heads' gradients are added at the features and go on as one. The second table sends back each
alone, then both.

Learning to play from scratch takes millions of frames. Learning from a teacher takes a few thousand: behaviour cloning
is classification, with the state as the image and the teacher's action as the label. It is also the actor-critic's own
update with an advantage of 1 for everything the teacher did, and that is how it is done here. Meanwhile the critic
learns who will score the next point, and how soon. The teacher follows the ball, which it reads from the console's
memory; the network sees pixels only. Both losses fall, and on states it has never seen the network guesses the
teacher's action far better than chance; no more is claimed.

The backward pass tells where the network looks: the gradient of "up rather than down" with respect to the pixels, and
that of the value, from the same code that computes the gradients for learning. The policy looks at the ball's path and
the paddles. The critic has seen only some twenty points, far too few: it learns them by heart, and on unseen states it
is worse than the mean. Its picture shows how: with seed 0 the score is brightest, and by the score it recognizes the
games.

In reinforcement learning. The encoder is DQN's (Mnih et al., 2015), and the two heads on it are those of A3C and PPO.
Many agents that have demonstrations to learn from start with behaviour cloning. It has a weakness that a test on the
teacher's states does not show: the student's own small mistakes lead to states that the teacher never saw.

Takeaways. Pixels need an encoder; what follows is the same policy and the same critic. Cloning is classification. A
critic that has seen twenty outcomes has learned twenty outcomes. A gradient with respect to the input shows where a
network looks.

Next: `backprop lesson world-model`, an agent that learns in what it has learned to expect.

Read: scratch/models.py (NatureEncoder, ActorCritic), scratch/nn/conv.py; benchmarks/tasks/pong.py
Run:  backprop lesson atari
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.style import LABELS
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    WIDTH,
    engine_key,
    line,
    new_figure,
    picture,
    sheet,
)
from benchmarks.tasks import pong
from benchmarks.tasks.pong import Games, Recipe

COMPARED = 5  # states in the comparison of the engines: an odd batch
MAPS, REPEATS, SMOOTH = 8, 7, 20


class Cloned(NamedTuple):
    """What one engine learned from the teacher, and how."""

    engine: Engine
    model: object
    terms: np.ndarray
    seconds: float
    probabilities: np.ndarray
    values: np.ndarray


def feature_maps(engine: Engine, model: object, x: np.ndarray) -> list[np.ndarray]:
    """Return the feature maps of each of the three convolutions, after its ReLU."""
    maps = []
    for layer in range(0, 6, 2):
        x = engine.predict(model.backbone.conv[layer], x)
        x = engine.predict(model.backbone.conv[layer + 1], x).copy()
        maps.append(x)
    return maps


def compare(board: Blackboard, games: Games) -> None:
    """Put on the board how far apart the engines are, forward and backward, with random gradients into both heads."""
    x, rng = games.inputs(slice(COMPARED)), np.random.default_rng(board.seed)
    gradients = rng.normal(size=(COMPARED, len(pong.ACTIONS))), rng.normal(size=COMPARED)
    quantities: dict[str, list[np.ndarray]] = {}
    for dtype in ("float64", "float32"):
        for engine in board.engines(dtype):
            engine.manual_seed(board.seed)
            model = pong.build(engine)
            for number, maps in enumerate(feature_maps(engine, model, x), start=1):
                quantities.setdefault(f"{dtype}: feature maps {number}", []).append(maps)
            (logits, values), grad_x = engine.forward_backward(model, x, *gradients)
            found = {"logits": logits, "values": values, "gradient of the frames": grad_x}
            grads = engine.grads(model)
            for part in ("policy", "value", "backbone"):
                own = [grad.ravel() for name, grad in grads.items() if name.startswith(part)]
                found[f"gradients of the {part}'s weights"] = np.concatenate(own)
            for name, values in found.items():
                quantities.setdefault(f"{dtype}: {name}", []).append(values)
    board.differences(quantities)


def show_sum(board: Blackboard, games: Games) -> None:
    """Put on the board the gradient that each head alone sends into the backbone, and that of both together."""
    x, rng = games.inputs(slice(COMPARED)), np.random.default_rng(board.seed)
    of_logits, of_values = rng.normal(size=(COMPARED, len(pong.ACTIONS))), rng.normal(size=COMPARED)
    sent = {"policy": (of_logits, 0 * of_values), "value": (0 * of_logits, of_values), "both": (of_logits, of_values)}
    rows = []
    for engine in board.engines("float64"):
        engine.manual_seed(board.seed)
        model, reached = pong.build(engine), {}
        for name, gradients in sent.items():
            model.zero_grad()
            engine.forward_backward(model, x, *gradients)
            reached[name] = engine.grads(model)["backbone.conv.0.weight"]
        apart = np.abs(reached["policy"] + reached["value"] - reached["both"]).max()
        lengths = [f"{np.linalg.norm(reached[name]):.6f}" for name in sent]
        rows.append((engine.name, *lengths, f"{apart:.1e}"))
    columns = (
        "gradient of conv 1's weights",
        "from the policy",
        "from the value",
        "from both",
        "|both - sum|, largest",
    )
    board.table("Two heads, one backbone: the gradients add", columns, rows)


def clone(engine: Engine, recipe: Recipe, games: Games, seed: int) -> Cloned:
    """Let one engine learn, and test it on the states that were held back."""
    started = time.perf_counter()
    model, terms = pong.clone(engine, recipe, games, seed)
    seconds = time.perf_counter() - started
    return Cloned(
        engine, model, np.array(terms), seconds, *pong.predict(engine, model, games.inputs(held_back(recipe)))
    )


def held_back(recipe: Recipe) -> slice:
    """Return the rows of the states that were not learned from."""
    return slice(recipe.states, None)


def show_results(board: Blackboard, recipe: Recipe, games: Games, runs: list[Cloned]) -> None:
    """Put on the board how often the networks do what the teacher did, on states that they did not learn from."""
    actions, returns = games.actions[held_back(recipe)], games.returns[held_back(recipe)]
    common = np.bincount(games.actions[: recipe.states]).argmax()
    mean = games.returns[: recipe.states].mean()
    rows = [("always the teacher's most common action", f"{(actions == common).mean():.1%}", "", "")]
    rows.append(("always the mean return", "", f"{((mean - returns) ** 2).mean():.4f}", ""))
    for run in runs:
        right = (run.probabilities.argmax(axis=1) == actions).mean()
        error = ((run.values - returns) ** 2).mean()
        rows.append((run.engine.name, f"{right:.1%}", f"{error:.4f}", f"{run.seconds:.1f}"))
    columns = (f"after {recipe.updates} updates", "teacher's action", "critic's squared error", "seconds of training")
    board.table(f"{recipe.test_states} states that were not learned from", columns, rows)


def frames_per_second(runs: list[Cloned], recipe: Recipe, games: Games) -> dict[str, list[float]]:
    """Return the states per second: forward of one, forward of a batch, and learning; medians, engines in turn."""
    batch = next(pong.batches(recipe, games, seed=0))
    seconds: dict[str, list[list[float]]] = {run.engine.name: [[], [], []] for run in runs}
    steps = {run.engine.name: pong.learner(run.engine, run.model, recipe) for run in runs}
    for _ in range(REPEATS):
        for run in runs:
            name = run.engine.name
            jobs = (
                lambda run=run: pong.predict(run.engine, run.model, batch[0][:1]),
                lambda run=run: pong.predict(run.engine, run.model, batch[0]),
                lambda name=name: steps[name](batch),
            )
            for job, times in zip(jobs, seconds[name], strict=True):
                started = time.perf_counter()
                job()
                times.append(time.perf_counter() - started)
    counts = (1, recipe.batch_size, recipe.batch_size)
    return {
        name: [count / float(np.median(times)) for count, times in zip(counts, lists, strict=True)]
        for name, lists in seconds.items()
    }


def show_speed(board: Blackboard, recipe: Recipe, games: Games, runs: list[Cloned]) -> None:
    """Put the frames per second on the board."""
    rows = [
        (name, *(f"{rate:.0f}" for rate in rates)) for name, rates in frames_per_second(runs, recipe, games).items()
    ]
    many = f"{recipe.batch_size} states at a time"
    board.table("States a second", ("", "forward, one at a time", f"forward, {many}", f"learning, {many}"), rows)
    board.write(
        f"The console with its preprocessing makes {games.frames_per_second / pong.FRAMES_A_STEP:.0f} states a second."
    )


def saliency(run: Cloned, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how strongly each pixel of a state moves "up rather than down" and the value, (84, 84) each."""
    up_not_down = np.zeros((1, len(pong.ACTIONS)))
    up_not_down[0, pong.UP], up_not_down[0, pong.DOWN] = 1, -1
    nothing, one = np.zeros(1), np.ones(1)
    _, of_policy = run.engine.forward_backward(run.model, x, up_not_down, nothing)
    _, of_value = run.engine.forward_backward(run.model, x, 0 * up_not_down, one)
    return tuple(np.abs(gradient[0]).max(axis=0) for gradient in (of_policy, of_value))


def draw_frames(games: Games, run: Cloned) -> Figure:
    """Draw the screen, a state, where the network looks, and some feature maps of each convolution."""
    state, x = games.states[games.shown], games.inputs(slice(games.shown, games.shown + 1))
    figure = new_figure(WIDTH, 6.5)
    title = f"From Pong's screen to features, in {LABELS[run.engine.name]}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.4])
    axes = top.subplots(1, 7)
    picture(axes[0], games.screen, "the screen")
    for age, (channel, frame) in enumerate(zip(axes[1:5], state, strict=True)):
        picture(channel, frame, f"{4 * (3 - age)} frames ago" if age < 3 else "now", cmap="gray")
        channel.spines[:].set_visible(True)
    for panel, gradient, name in zip(
        axes[5:], saliency(run, x), ('what moves\n"up, not down"', "what moves\nthe value"), strict=True
    ):
        picture(panel, gradient, name, cmap="magma")
    grid = bottom.subplots(3, MAPS)
    for number, (maps, panels) in enumerate(zip(feature_maps(run.engine, run.model, x), grid, strict=True), start=1):
        liveliest = np.sort(np.argsort(-maps[0].std(axis=(1, 2)))[:MAPS])
        for channel, panel in zip(liveliest, panels, strict=True):
            picture(panel, maps[0, channel], f"{channel}", cmap="magma", vmin=0)
        height, width = maps.shape[2:]
        panels[0].set_ylabel(f"conv {number}\n{height} x {width}")
    return figure


def draw_learning(recipe: Recipe, games: Games, runs: list[Cloned]) -> Figure:
    """Draw the two terms of the loss as they fall, and how often the networks make each of the teacher's moves."""
    figure, ((policy, value, chosen),) = sheet(1, 3, 3.6, "Learning from the teacher, through pixels")
    window = min(SMOOTH, recipe.updates)
    middles = np.arange(recipe.updates - window + 1) + window / 2
    for axes, column in ((policy, 1), (value, 2)):
        smooth = {
            run.engine.name: np.convolve(run.terms[:, column], np.full(window, 1 / window), mode="valid")
            for run in runs
        }
        line(axes, middles, smooth, BLUE if column == 1 else ORANGE)
        axes.set(xlabel="update", ylim=(0, None))
    policy.axhline(np.log(3), color=GREY, linewidth=1, linestyle=":")
    policy.annotate(
        "log 3: guessing",
        (0.98, np.log(3)),
        (0, 3),
        policy.get_yaxis_transform(),
        "offset points",
        ha="right",
        color=GREY,
    )
    policy.set(title="Policy: cross-entropy", ylabel="nats")
    value.set(title="Value: Huber loss", ylabel="mean over the batch")
    actions, places = games.actions[held_back(recipe)], np.arange(3)
    for offset, run in enumerate(runs):
        guessed = run.probabilities.argmax(axis=1)
        shares = [(guessed[actions == action] == action).mean() for action in (pong.UP, pong.STAY, pong.DOWN)]
        width = 0.8 / len(runs)
        look = {"color": GREEN, "alpha": 0.55 if offset == 0 else 1.0, "label": LABELS[run.engine.name]}
        chosen.bar(places + (offset - (len(runs) - 1) / 2) * width, shares, 0.92 * width, **look)
    chosen.set_xticks(places, ("up", "stay", "down"))
    chosen.set(title="Agreement on unseen states", xlabel="the teacher's action", ylabel="share", ylim=(0, 1))
    chosen.legend(fontsize=8)
    engine_key(figure, [run.engine.name for run in runs])
    return figure


def run(board: Blackboard, recipe: Recipe | None = None) -> None:
    """Watch the teacher, compare the engines on its states, and learn from it."""
    recipe = recipe or Recipe()
    games = pong.watch(recipe, board.seed)
    compare(board, games)
    show_sum(board, games)
    runs = [clone(engine, recipe, games, board.seed) for engine in board.engines()]
    show_results(board, recipe, games, runs)
    board.figure("atari_frames", draw_frames(games, runs[0]))
    board.figure("atari_learning", draw_learning(recipe, games, runs))
    show_speed(board, recipe, games, runs)
