r"""Regularization: what keeps a network from learning the noise, and what only seems to.

Four ways, on the two-moons MLP, each against the plain network:

    dropout       y = x m / (1 - p),  m = 0 with probability p     in training; nothing in evaluation
    weight decay  w <- w - lr (step + decay w)                     AdamW: "decoupled", outside the gradient
    both          dropout and weight decay
    batch norm    each unit's sums are normalized over the batch   the batch's noise is the regularizer

Each curve is a separate network, built from a seed, trained and tested by one function, so two curves differ only in
what their names say. (A loop that updates a global model instead of the one passed to it is a common slip: its two
curves compare nothing.)

What to look for. On 1,500 points a network of 4,482 numbers hardly overfits, and the first five curves stay within each
other's bands; a decay of 1e-3 shrinks a weight by 0.2% (600 steps, 3e-3 times 1e-3 each), and its curve lies on the
plain one. On 64 points the plain network's test loss falls, turns, and climbs, while its accuracy barely moves: it
stays right about most points, and grows ever surer of its mistakes. Dropout of 0.2 does not stop that here; batch norm
slows it, and so does a decay strong enough to matter (1 instead of 1e-3), which costs a little where there is enough
data. A regularizer is a hypothesis about the data, and a test set says whether it holds.

Dropout as an ensemble. Each mask gives a different network, and all share their weights. Evaluation runs one network,
the scaled one, with no unit dropped. If only the input of the last layer is dropped, its probabilities are the
normalized geometric mean of all masks' probabilities, exactly, because the logits are linear in the mask (Baldi and
Sadowski, Understanding dropout, 2013); the lesson goes through all masks of six units. With a ReLU after a layer with
dropout it is an approximation. The lesson draws up to 100 masks for a trained network: their geometric mean comes close
to the scaled network, and the mean of the probabilities themselves has a lower loss than either, because it is less
sure of itself.

Batch norm and "internal covariate shift". Each layer's inputs change while the layers before it learn. Ioffe and
Szegedy (2015) gave this change that name, and proposed batch norm against it. Santurkar et al. (How does batch
normalization help optimization?, 2018) added noise after each batch norm, so that the inputs changed more than without
batch norm, and the network still trained as fast; and measured by gradients, batch norm did not reduce the shift. What
they found instead is a smoother loss: the gradient changes less along a step, so longer steps can be trusted. That
batch norm regularizes is a third thing: it comes from the noise of the batch, which the lesson on normalization
measures.

L2 in the loss is not weight decay, once the optimizer is Adam. If decay w is added to the gradient (Adam's
weight_decay), it is normalized, too: the step is lr m/sqrt(v), so a weight with large gradients (large v) is hardly
decayed, and one with small gradients loses lr per step, whatever decay is. AdamW multiplies every weight by 1 - lr
decay. The figure shows both on weights whose gradients pull to and fro and lead nowhere.

And a factor of two: the textbook adds lambda |W|^2 to the loss, whose gradient is 2 lambda W. PyTorch's weight_decay
adds weight_decay W to the gradient, which is that of (weight_decay / 2) |W|^2: weight_decay = 2 lambda.

In reinforcement learning. The data is produced during learning, and the agent is scored in the same environment, so
there is less to overfit and more that changes. What is really used:

    DQN        none of the four. The published code has a "weight cost", 0 by default (dqn/NeuralQLearner.lua: wc), no
               dropout, no norm (dqn_zoo/networks.py). RMSProp, a target network, clipped errors.
    PPO        none by default (OpenAI Baselines, common/models.py; ppo2/model.py: Adam with epsilon 1e-5). Gradients
               are clipped, advantages normalized over the batch, the policy's entropy may be a bonus in the loss.
    SAC        none on the weights; a penalty of 1e-3 on the policy's means and log deviations in the first code
               (haarnoja/sac, distributions/normal.py: reg). Entropy is part of the objective.
    Dreamer    v1: no norm, weight decay 0 (dreamer.py); v2: weight decay 1e-6 (configs.yaml: wd), layer norm in the
               recurrent cell (common/nets.py: GRUCell); v3: weight decay 0, a norm in every hidden layer, RMS norm in
               the present code (configs.yaml: wd, norm).

Where they do help: L2 and dropout on the policy network in continuous control (Liu et al., Regularization matters in
policy optimization, 2021); dropout together with layer norm in the critic (Hiraoka et al., Dropout Q-functions, 2022,
DroQ); batch norm in the critic, once current and next states go through it in one batch and the target network is
dropped (Bhatt et al., CrossQ, 2024).

Takeaways. A regularizer is a hypothesis; a test set judges it. Dropout's evaluation network stands for all of its
masks. With Adam, decay the weights, not the gradient. PyTorch's weight_decay is twice the textbook's lambda. Reference
agents use little of this, and norms more than the rest.

Next: `backprop lesson normalization`, over which numbers a norm takes its mean.

Read: scratch/nn/dropout.py, scratch/nn/batchnorm.py, scratch/optim/adam.py, scratch/optim/adamw.py.
Run:  backprop lesson regularization
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.figures.boundary import POINTS, SHADES
from benchmarks.figures.style import INK
from benchmarks.lessons.support import mask_ensemble
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import (
    BLUE,
    BROWN,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    band,
    engine_key,
    line,
    picture,
    sheet,
)
from benchmarks.tasks import Data


class Variant(NamedTuple):
    """A way to regularize."""

    dropout: float = 0.0
    decay: float = 0.0
    batch_norm: bool = False


class Setting(NamedTuple):
    """The number of training points and of epochs, chosen so that each setting takes about as many steps."""

    points: int
    epochs: int


class Outcome(NamedTuple):
    """What became of one variant in one setting: test loss and accuracy (seed, epoch), and a picture of the plane."""

    loss: np.ndarray
    accuracy: np.ndarray
    train_loss: np.ndarray
    plane: np.ndarray


VARIANTS = {
    "plain": Variant(),
    "dropout 0.2": Variant(dropout=0.2),
    "decay 1e-3": Variant(decay=1e-3),
    "dropout + decay": Variant(dropout=0.2, decay=1e-3),
    "batch norm": Variant(batch_norm=True),
    "decay 1": Variant(decay=1.0),
}
COLOUR = dict(zip(VARIANTS, (RED, ORANGE, BROWN, PURPLE, GREEN, BLUE), strict=True))
SETTINGS = {"large": Setting(1500, 25), "small": Setting(64, 600)}
LR, BATCH, SEEDS = 3e-3, 64, 4
CONTOURS = ({"linewidths": 4.5, "alpha": 0.4}, {"linewidths": 1.3, "linestyles": "dashed"})
ACROSS, UP = np.linspace(-1.9, 2.9, 120), np.linspace(-1.5, 2.0, 90)

SCALES = np.logspace(-4, 1, 51)
PULL_LR, PULL_DECAY, PULL_STEPS = 1e-2, 0.1, 500
TRACED = {1e-4: PURPLE, 1e-2: BLUE, 1e-1: GREEN, 1.0: ORANGE, 10.0: RED}


def train(engine: Engine, data: Data, variant: Variant, setting: Setting, seed: int) -> tuple[object, object]:
    """Build a network from a seed and train it; return the network and the history."""
    engine.manual_seed(seed)
    model = engine.models.MLP(pdrop=variant.dropout, use_bn=variant.batch_norm, dtype=engine.dtype)
    history = engine.train.fit(
        model,
        engine.nn.CrossEntropyLoss(),
        engine.optim.AdamW(model.parameters(), lr=LR, weight_decay=variant.decay),
        (engine.asarray(data.x_train[: setting.points]), engine.asarray(data.y_train[: setting.points])),
        (engine.asarray(data.x_test), engine.asarray(data.y_test)),
        epochs=setting.epochs,
        batch_size=BATCH,
    )
    return model, history


def plane(engine: Engine, model: object) -> np.ndarray:
    """Return the probability of the second class on a grid."""
    grid = np.stack(np.meshgrid(ACROSS, UP), axis=-1).reshape(-1, 2)
    logits = engine.predict(model, grid).astype(np.float64)
    return ((1 + np.tanh((logits[:, 1] - logits[:, 0]) / 2)) / 2).reshape(len(UP), len(ACROSS))


def compare(engine: Engine, data: Data, setting: Setting, first_seed: int) -> dict[str, Outcome]:
    """Train every variant from the same seeds."""
    outcomes = {}
    for name, variant in VARIANTS.items():
        runs = [train(engine, data, variant, setting, first_seed + seed) for seed in range(SEEDS)]
        curves = [
            np.array([getattr(history, curve) for _, history in runs])
            for curve in ("test_loss", "test_accuracy", "train_loss")
        ]
        outcomes[name] = Outcome(*curves, plane(engine, runs[0][0]))
    return outcomes


def draw_curves(outcomes: dict[str, dict[str, dict[str, Outcome]]]) -> Figure:
    """Draw test loss and accuracy against the epoch, for the large and the small training set."""
    figure, every = sheet(
        2, 2, 6.4, f"Regularization on the two moons: means and ranges of {SEEDS} seeds", sharex="col"
    )
    first = next(iter(outcomes))
    for column, setting in enumerate(SETTINGS):
        epochs = np.arange(1, SETTINGS[setting].epochs + 1)
        for row, (curve, scale) in enumerate((("loss", 1), ("accuracy", 100))):
            axes = every[row, column]
            for name, colour in COLOUR.items():
                runs = {engine: scale * getattr(outcomes[engine][setting][name], curve) for engine in outcomes}
                line(axes, epochs, {engine: run.mean(axis=0) for engine, run in runs.items()}, colour, name)
                band(axes, epochs, runs[first], colour)
        every[0, column].set_title(f"{SETTINGS[setting].points:,} training points")
        every[1, column].set_xlabel("epoch")
    every[0, 0].set(ylabel="test loss", ylim=(0.13, 0.3))
    every[0, 1].set(ylim=(0.1, 1.0))
    every[1, 0].set(ylabel="test accuracy (%)", ylim=(90, 95))
    every[1, 1].set(ylim=(85, 95))
    every[1, 1].legend(ncols=2, loc="lower right")
    engine_key(figure, list(outcomes))
    return figure


def draw_boundaries(outcomes: dict[str, dict[str, dict[str, Outcome]]], data: Data) -> Figure:
    """Draw each variant's first network as a map of the plane, with the points that it was trained on."""
    figure, every = sheet(2, len(VARIANTS), 4.1, "Decision boundaries (line), probability (shade) and training points")
    first = next(iter(outcomes))
    for setting, row in zip(SETTINGS, every, strict=True):
        points = SETTINGS[setting].points
        for axes, name in zip(row, VARIANTS, strict=True):
            shown = outcomes[first][setting][name]
            extent = (ACROSS[0], ACROSS[-1], UP[0], UP[-1])
            look = {"origin": "lower", "extent": extent, "cmap": SHADES, "vmin": 0, "vmax": 1}
            picture(axes, shown.plane, name if setting == "large" else "", aspect="auto", **look)
            for engine, look in zip(outcomes, CONTOURS[-len(outcomes) :], strict=True):
                axes.contour(ACROSS, UP, outcomes[engine][setting][name].plane, levels=[0.5], colors=INK, **look)
            size, edge = (14, 0.5) if points < 200 else (2, 0)
            x, y = data.x_train[:points], data.y_train[:points]
            axes.scatter(*x.T, c=y, s=size, cmap=ListedColormap(POINTS), edgecolors="white", linewidths=edge)
            axes.set(xlim=(ACROSS[0], ACROSS[-1]), ylim=(UP[0], UP[-1]))
            axes.set_xlabel(f"{100 * shown.accuracy[0, -1]:.1f}% of test", fontsize=8)
        row[0].set_ylabel(f"{points:,} points", fontsize=9)
    engine_key(figure, list(outcomes))
    return figure


def pull(engine: Engine, optimizer: str) -> np.ndarray:
    """Return weights (step, scale) that start at 1 and are pulled to and fro by gradients of different scales."""
    weight = engine.nn.Parameter(engine.asarray(np.ones(len(SCALES))))
    chosen = getattr(engine.optim, optimizer)([weight], lr=PULL_LR, weight_decay=PULL_DECAY)
    trail = [np.ones(len(SCALES))]
    for step in range(PULL_STEPS):
        weight.grad = engine.asarray(SCALES * (-1) ** step)
        chosen.step()
        trail.append(engine.numpy(weight.data).copy())
    return np.array(trail)


def draw_decay(pulled: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Draw how weights shrink under L2 in Adam and under AdamW."""
    title = f"Weights under gradients that pull to and fro (lr {PULL_LR}, weight decay {PULL_DECAY})"
    figure, ((adam, adamw, end),) = sheet(1, 3, 3.7, title)
    steps = np.arange(PULL_STEPS + 1)
    for axes, name in ((adam, "Adam"), (adamw, "AdamW")):
        for scale, colour in TRACED.items():
            column = int(np.argmin(np.abs(np.log(SCALES / scale))))
            line(axes, steps, {engine: pulled[engine][name][:, column] for engine in pulled}, colour, f"{scale:g}")
        axes.set(xlabel="step", ylim=(-0.05, 1.08))
    adam.set(title="Adam: L2 in the gradient", ylabel="weight, from 1")
    adamw.set_title("AdamW: decoupled")
    adamw.legend(title="size of the gradient", title_fontsize=9, ncols=2, loc="lower left")
    for name, colour in (("Adam", RED), ("AdamW", BLUE)):
        line(end, SCALES, {engine: pulled[engine][name][-1] for engine in pulled}, colour, name)
    kept = (1 - PULL_LR * PULL_DECAY) ** PULL_STEPS
    end.axhline(kept, color=INK, lw=0.8, ls=":")
    end.annotate("(1 - lr decay)^steps", (SCALES[0], kept), (0, 5), textcoords="offset points", fontsize=8)
    end.set(
        title=f"What is left after {PULL_STEPS} steps", xlabel="size of the gradient", xscale="log", ylim=(-0.05, 1.08)
    )
    end.legend(loc="upper left")
    engine_key(figure, list(pulled))
    return figure


def one_step(engine: Engine, weight_decay: float) -> float:
    """Return what one step of SGD with lr 0.1 leaves of a weight of 1 whose gradient is 0."""
    weight = engine.nn.Parameter(engine.asarray(np.ones(1)))
    weight.grad = engine.asarray(np.zeros(1))
    engine.optim.SGD([weight], lr=0.1, weight_decay=weight_decay).step()
    return engine.numpy(weight.data).item()


def show_ensemble(board: Blackboard, ensembles: dict[str, mask_ensemble.Ensemble]) -> None:
    """Put on the board how the mean over many masks compares with the network that evaluation uses."""
    one = next(iter(ensembles.values()))
    rows = [
        (f"{count} masks", f"{arithmetic:.4f}", f"{geometric:.4f}", f"{distance:.4f}")
        for count, arithmetic, geometric, distance in zip(mask_ensemble.MASKS, *one[:2], one.distance, strict=True)
    ]
    board.table(
        f"Dropout {mask_ensemble.DROPOUT:g}, {mask_ensemble.POINTS} points: test losses of ensembles",
        ("mean over", "of the probabilities", "geometric", "its distance from the scaled network"),
        [*rows, ("the scaled network", f"{one.scaled:.4f}", f"{one.scaled:.4f}", "0")],
    )
    board.write(
        "Dropout before the last layer only, all 64 masks of 6 units: the geometric mean and the scaled network "
        f"differ by {one.one_layer:.0e}."
    )
    board.figure("regularization_ensemble", mask_ensemble.draw(ensembles))


def run(board: Blackboard) -> None:
    """Train every variant in every engine and setting, then follow single weights."""
    engines = board.engines("float64")
    first = engines[0].name
    data = tasks.get("moons").load(board.data_dir)
    outcomes = {
        engine.name: {name: compare(engine, data, setting, board.seed) for name, setting in SETTINGS.items()}
        for engine in engines
    }
    for name, setting in SETTINGS.items():
        board.table(
            f"{setting.points} training points, {setting.epochs} epochs, means of {SEEDS} seeds ({first})",
            ("network", "test accuracy", "test loss", "its lowest", "at epoch", "train loss"),
            [summary(variant, outcome) for variant, outcome in outcomes[first][name].items()],
        )
    board.figure("regularization_curves", draw_curves(outcomes))
    board.figure("regularization_boundaries", draw_boundaries(outcomes, data))

    ensembles = {engine.name: mask_ensemble.measure(engine, data, board.seed) for engine in engines}
    show_ensemble(board, ensembles)

    pulled = {engine.name: {name: pull(engine, name) for name in ("Adam", "AdamW")} for engine in engines}
    board.table(
        f"What is left of a weight of 1 after {PULL_STEPS} steps ({first})",
        ("size of its gradient", "Adam, L2", "AdamW"),
        [
            (f"{SCALES[k]:.0e}", *(f"{pulled[first][name][-1, k]:.3f}" for name in ("Adam", "AdamW")))
            for k in range(0, len(SCALES), 10)
        ],
    )
    steps = [[one_step(engine, decay) for decay in (0.5, 1.0)] for engine in engines]
    board.table(
        "lambda = 0.5: one step of SGD from w = 1, lr 0.1, where the loss itself has no gradient",
        ("penalty", "its gradient", "w after the step", "PyTorch's weight_decay", "measured"),
        [
            ("lambda/2 |W|^2", "lambda W", "1 - 0.1 x 0.5 = 0.95", "0.5 = lambda", f"{steps[0][0]:.2f}"),
            ("lambda |W|^2", "2 lambda W", "1 - 0.1 x 1.0 = 0.90", "1.0 = 2 lambda", f"{steps[0][1]:.2f}"),
        ],
    )
    board.figure("regularization_adamw", draw_decay(pulled))
    board.differences(
        {
            **{
                f"test losses, {setting.points} points, {variant}": [
                    outcomes[engine][name][variant].loss for engine in outcomes
                ]
                for name, setting in SETTINGS.items()
                for variant in VARIANTS
            },
            "ensembles of masks: test losses": [[*one[:2]] for one in ensembles.values()],
            "weights pulled to and fro": [list(pulled[engine].values()) for engine in pulled],
            "single steps": steps,
        }
    )


def summary(name: str, outcome: Outcome) -> tuple[str, ...]:
    """Return a variant's row of the table."""
    loss = outcome.loss.mean(axis=0)
    numbers = (outcome.accuracy[:, -1].mean(), loss[-1], loss.min())
    return (name, *(f"{n:.4f}" for n in numbers), loss.argmin() + 1, f"{outcome.train_loss[:, -1].mean():.4f}")
