r"""Policy: a classifier whose labels are its own guesses, weighted by how well they turned out.

CartPole: a pole stands on a cart; push the cart left or right, fifty times a second, so that the pole does not fall.
The state is four numbers (the cart's position and velocity, the pole's angle and angular velocity), the network's
answer is a probability for each of the two actions, and nobody says which of them is right. There is only a reward: 1
for every step, until the pole falls, the cart leaves the track, or 500 steps are over.

    policy    p = softmax(z)                        the actor: draw the action a from p
    value     V(s)                                  the critic: the return to be expected from here
    advantage w = R - V(s)                          how much better it went than the critic expected
    loss      L = mean of -w log p_a                do more of what went better than expected
                + 1/2 mean of (V(s) - R)^2          expect what happened
                - c mean of H(p)                    and keep trying: H is the entropy

The first term is a classifier's cross-entropy, with the drawn action as its label and each row weighted by its
advantage. With weight 1 it IS the classifier's loss, as the first table shows: the same number, the same gradient. A
larger weight pulls harder, a negative one pushes away.

Actor and critic are two heads on one backbone. Both read its features, so the gradient that the backbone receives is
the sum of theirs; in scratch/models.py that is one line, grad_features = policy.backward(...) + value.backward(...).
The advantage is a constant in the policy's term: it is computed from V, but no gradient flows through it (DETACHED).
Otherwise the critic could lower the loss by expecting more wherever an unlikely action was taken.

Both engines draw their actions with the same random numbers. As long as their probabilities agree to the last few bits,
they choose the same actions and play the same game. One random number that falls between the two probabilities
separates them, and from then on each plays its own game, equally well.

The map shows both heads over the pole's angle and angular velocity. The black line is where the policy is undecided;
along it the pole is about to come upright by itself. Far from the dots, in states that the trained policy never visits,
the map is a guess, and there the two engines differ.

In reinforcement learning. All of this lesson is reinforcement learning. From the other lessons it uses the multilayer
perceptron as policy and critic, the weighted cross-entropy, the sum of two gradients, gradient clipping, Adam. It
leaves out what PPO adds: clipping the ratio of the new probability to the old one, so that a batch can be used more
than once.

Takeaways. A policy's loss is a weighted cross-entropy. The advantage is a constant in it. Two heads send the sum of
their gradients into the backbone. The entropy keeps the policy trying.

Next: `backprop lesson atari`, the same heads on pixels.

Read: scratch/policy_gradient.py, scratch/actor_critic.py, scratch/models.py (ActorCritic); benchmarks/tasks/cartpole.py
Run:  backprop lesson policy
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.engines import Engine
from benchmarks.figures.style import LABELS
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import COLOURS, GREY, engine_key, line, sheet
from benchmarks.tasks import cartpole
from benchmarks.tasks.cartpole import Actor, Curve, Recipe

SEEDS, EPISODES = 3, 100
LOGITS, ACTION = np.array([1.0, 0.0, -1.0]), 0
ANGLES, SPEEDS = np.linspace(-0.2095, 0.2095, 121), np.linspace(-2.0, 2.0, 121)
SMOOTH = 50


class Trained(NamedTuple):
    """One training run of one engine, and the returns of the evaluation that followed it."""

    actor: Actor
    curve: Curve
    returns: np.ndarray


def weighted_row(engine: Engine, advantage: float | None) -> tuple[float, np.ndarray]:
    """Return the loss of one row, and the gradient of its logits; without an advantage, the classifier's.

    A Linear whose input is 0 returns its bias, so the bias is the logits, and its gradient is theirs.
    """
    model = engine.nn.Linear(1, 3, dtype=engine.dtype)
    engine.load_state(model, {"weight": np.zeros((3, 1)), "bias": LOGITS})
    if advantage is None:
        criterion, targets = engine.nn.CrossEntropyLoss(), (np.array([ACTION]),)
    else:
        criterion, targets = engine.actor_critic.PolicyGradientLoss(), (np.array([ACTION]), np.array([advantage]))
    loss = engine.loss_backward(model, criterion, np.zeros((1, 1)), *targets)
    return loss, engine.grads(model)["bias"]


def show_weights(board: Blackboard) -> None:
    """Show in a table on the board that the policy's loss is a weighted cross-entropy."""
    rows, quantities = [], {}
    labels = {None: "the classifier's cross-entropy", 1.0: "policy gradient, w = 1", 2.5: "w = 2.5", -1.0: "w = -1"}
    for advantage, label in labels.items():
        answers = [weighted_row(engine, advantage) for engine in board.engines("float64")]
        loss, grad = answers[0]
        rows.append((label, f"{loss:.6f}", *(f"{value:.6f}" for value in grad)))
        quantities[label] = [np.append(grad, loss) for loss, grad in answers]
    columns = ("one row, logits (1, 0, -1), action 0", "loss", "dL/dz_0", "dL/dz_1", "dL/dz_2")
    board.table("The policy's loss is a classifier's, weighted", columns, rows)
    board.differences(quantities)


def first_parting(one: Curve, other: Curve) -> int | None:
    """Return the number of the first update in which two runs drew different actions, counted from 1."""
    for update, (mine, yours) in enumerate(zip(one.actions, other.actions, strict=True)):
        if not np.array_equal(mine, yours):
            return update + 1
    return None


def show_results(board: Blackboard, runs: dict[str, dict[int, Trained]], updates: int) -> None:
    """Put the table of the evaluations on the board, and say where the engines parted."""
    rows = []
    for name, seeds in runs.items():
        for seed, run in seeds.items():
            best = next((update for update, mean in run.curve.evaluations if mean >= cartpole.SOLVED), None)
            drawn = np.mean([steps for _, steps in run.curve.episodes[-EPISODES:]])
            returns = f"{run.returns.mean():.1f}", f"{run.returns.min():.0f}", f"{drawn:.1f}"
            rows.append((f"{name}, seed {seed}", *returns, best or "never", f"{run.curve.seconds:.1f}"))
    solved = f"{cartpole.SOLVED:g} first reached"
    columns = ("", "mean return", "smallest", "while learning", f"{solved} after update", "seconds of training")
    title = f"{EPISODES} episodes of the likelier action, after {updates} updates; the last {EPISODES} while learning"
    board.table(title, columns, rows)
    if len(runs) == 2:
        one, other = runs.values()
        for seed in one:
            parting = first_parting(one[seed].curve, other[seed].curve)
            until = "to the end" if parting is None else f"until update {parting}, where the first action differs"
            board.write(f"Seed {seed}: both engines play the same game {until}.")


def draw_curves(runs: dict[str, dict[int, Trained]], steps_an_update: int) -> Figure:
    """Draw how well the policy does, how sure it is, and how far off the critic is, while they learn."""
    title = "CartPole learned by advantage actor-critic"
    figure, ((score, entropy, error),) = sheet(1, 3, 3.6, title)
    for axes in (score, entropy, error):
        axes.set(xlabel="steps played, thousands", xscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    seeds = list(next(iter(runs.values())))
    for seed, colour in zip(seeds, COLOURS, strict=False):
        curves = {name: of_seed[seed].curve for name, of_seed in runs.items()}
        first = next(iter(curves.values()))
        evaluated = np.array([update for update, _ in first.evaluations]) * steps_an_update / 1000
        means = {name: [mean for _, mean in curve.evaluations] for name, curve in curves.items()}
        line(score, evaluated, means, colour, f"seed {seed}")
        window = min(SMOOTH, len(first.terms))
        middles = (np.arange(len(first.terms) - window + 1) + window / 2) * steps_an_update / 1000
        for axes, column in ((error, 2), (entropy, 3)):
            smooth = {name: moving_median([term[column] for term in curve.terms]) for name, curve in curves.items()}
            line(axes, middles, smooth, colour)
    mark(score, cartpole.SOLVED, "solved: 475")
    score.set(title="Mean return of 20 episodes", ylabel="steps that the pole stands", ylim=(0, 530))
    score.legend(loc="lower right", fontsize=8)
    mark(entropy, np.log(2), "log 2: a coin")
    entropy.set(title="Entropy of the policy", ylabel="nats", ylim=(0, 0.75))
    error.set(title="The critic's squared error", ylabel="mean of (V - R)²", yscale="log")
    engine_key(figure, list(runs))
    return figure


def mark(axes: Axes, height: float, words: str) -> None:
    """Draw a dotted line at a height, and label it."""
    axes.axhline(height, color=GREY, linewidth=1, linestyle=":")
    place = axes.get_yaxis_transform()
    axes.text(0.02, height, words, transform=place, color=GREY, fontsize=8, va="bottom")


def moving_median(values: list[float]) -> np.ndarray:
    """Return the medians of `SMOOTH` consecutive values, or of all if there are fewer."""
    window = min(SMOOTH, len(values))
    return np.median(np.lib.stride_tricks.sliding_window_view(values, window), axis=1)


def on_the_map(actor: Actor) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of pushing right and the value, over the pole's angle and speed, the cart at rest."""
    angle, speed = np.meshgrid(ANGLES, SPEEDS)
    states = np.zeros((angle.size, cartpole.STATE), np.float32)
    states[:, 2], states[:, 3] = angle.ravel(), speed.ravel()
    probabilities, values = actor(states)
    return probabilities[:, 1].reshape(angle.shape), values.reshape(angle.shape)


def draw_map(maps: dict[str, tuple[np.ndarray, np.ndarray]], visited: dict[str, np.ndarray]) -> Figure:
    """Draw policy and value over the pole's angle and angular velocity, and the states of one episode on them."""
    figure, every = sheet(len(maps), 2, 0.7 + 3.3 * len(maps), "What the two heads say, with the cart at rest at 0")
    span = (np.degrees(ANGLES[0]), np.degrees(ANGLES[-1]), SPEEDS[0], SPEEDS[-1])
    look = {"origin": "lower", "extent": span, "aspect": "auto"}
    low, high = (pick([values for _, values in maps.values()]) for pick in (np.min, np.max))
    for (name, (right, value)), (policy_axes, value_axes) in zip(maps.items(), every, strict=True):
        shown = policy_axes.imshow(right, cmap="RdBu_r", vmin=0, vmax=1, **look)
        policy_axes.contour(right, [0.5], colors="black", linewidths=1, origin="lower", extent=span)
        figure.colorbar(shown, ax=policy_axes, label="probability of pushing right")
        angle, speed = visited[name].T
        policy_axes.plot(np.degrees(angle), speed, ".", color="black", markersize=1.5, alpha=0.5)
        shown = value_axes.imshow(value, cmap="viridis", vmin=low, vmax=high, **look)
        figure.colorbar(shown, ax=value_axes, label="value (1: stands for ever)")
        value_axes.contour(value, 8, colors="white", linewidths=0.6, alpha=0.7, origin="lower", extent=span)
        policy_axes.set_title(f"{LABELS[name]}: policy, and the states of one episode", fontsize=10)
        value_axes.set_title(f"{LABELS[name]}: value", fontsize=10)
        for axes in (policy_axes, value_axes):
            axes.grid(False)
            axes.set(xlabel="pole's angle (degrees; right is positive)", ylabel="angular velocity (rad/s)")
            axes.set(xlim=span[:2], ylim=span[2:])
    return figure


def run(board: Blackboard, recipe: Recipe | None = None, seeds: int = SEEDS) -> None:
    """Show what the loss is, train on CartPole from several seeds, and inspect what was learned."""
    recipe = recipe or Recipe()
    show_weights(board)
    runs: dict[str, dict[int, Trained]] = {}
    for engine in board.engines():
        runs[engine.name] = {}
        for seed in range(board.seed, board.seed + seeds):
            actor, curve = cartpole.train(engine, seed, recipe)
            returns = cartpole.evaluate(actor, EPISODES, seed + 20_000)
            runs[engine.name][seed] = Trained(actor, curve, returns)
            board.write(f"{engine.name}, seed {seed}: {curve.seconds:.1f} s, mean return {returns.mean():.1f}")
    show_results(board, runs, recipe.updates)
    actors = {name: of_seed[board.seed].actor for name, of_seed in runs.items()}
    maps = {name: on_the_map(actor) for name, actor in actors.items()}
    visited = {name: cartpole.visited(actor, board.seed + 30_000)[:, 2:] for name, actor in actors.items()}
    steps_an_update = recipe.environments * recipe.horizon
    board.figure("policy_curves", draw_curves(runs, steps_an_update))
    board.figure("policy_map", draw_map(maps, visited))
