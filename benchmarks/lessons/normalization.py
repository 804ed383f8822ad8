r"""Normalization: batch norm and layer norm, and which numbers they take the mean over.

All norms compute the same thing, over different sets of numbers:

    F   y = (x - mean) / sqrt(var + eps) * weight + bias

    BatchNorm2d   mean and var of each channel, over the batch and all positions      (N, H, W)
    LayerNorm     mean and var of each sample, over its channels and positions        (C, H, W)
    GroupNorm     mean and var of each sample and group of channels                   (C/G, H, W)

You can ask the layer itself which numbers share a mean: send back a gradient that is 1 at one output and 0 at all
others. The input gradient is then nonzero exactly where that output depends on the input, and those numbers share their
statistics. The picture of the three layers is made this way.

Training and evaluation. In training, batch norm uses the statistics of the current batch, so its output for a row
depends on the other rows, and its gradient sums to zero over the batch (shifting the whole batch changes no output). In
evaluation it uses running statistics, gathered in training, r <- 0.9 r + 0.1 (the batch's): a constant scale and shift,
row by row. Layer norm has only one mode: it always looks at one row at a time.

Small batches. The mean of N numbers is off by std/sqrt(N), their variance by about var sqrt(2/(N - 1)). Batch norm
passes this noise on to the network: it is mild at 64 rows, where it acts as a regularizer, and ruinous at 2, where
every sum becomes +1 or -1 whatever it was. The layers before it then get no gradient except from eps and rounding (the
layer removes the mean and the component along its output, so sqrt((N - 2)/N) of the gradient gets through), and Adam
scales even that up to whole steps. Here, and only here, the two engines part ways, because they differ in rounding.
Layer norm does not care how large the batch is. A batch of one row is refused: it has no variance.

In reinforcement learning. Batch norm needs batches that resemble one another, and an agent's do not: its policy
changes, and the next states that a critic's target is computed from are distributed differently from the states it
learns from. DQN, PPO and SAC were published without any norm. Layer norm, which sees one row at a time, is used in
critics (DroQ: Hiraoka et al., 2022) and in world models (Dreamer v3 has a norm in every layer); CrossQ (Bhatt et al.,
2024) puts both kinds of states through batch norm together. For observations that are numbers, PPO uses a running mean
and variance (OpenAI Baselines, common/vec_env/vec_normalize.py): a batch norm without the backward pass.

Takeaways. Norms differ in the set over which they take the mean. Batch norm couples the rows of a batch in training,
and needs enough of them; in evaluation it is a constant scale and shift. Layer norm does not see the batch.

Next: `backprop lesson convolution`, the same small question at every place in an image.

Read: scratch/nn/batchnorm.py (with the derivation), scratch/nn/layernorm.py, scratch/nn/groupnorm.py.
Run:  backprop lesson normalization
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.figures.style import INK, new_figure
from benchmarks.lessons.support import batch_norm_sizes as batch_size
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.drawing import BLUE, GREEN, ORANGE, RED, WIDTH, engine_key, line, sheet

SHAPE = (4, 6, 2, 3)
MARKED = (0, 5, 0, 2)
CUBES = {
    "BatchNorm2d": ("over the batch and positions", lambda nn, dtype: nn.BatchNorm2d(6, dtype=dtype)),
    "LayerNorm": ("over channels and positions", lambda nn, dtype: nn.LayerNorm(SHAPE[1:], dtype=dtype)),
    "GroupNorm, 3 groups": ("over a group and positions", lambda nn, dtype: nn.GroupNorm(3, 6, dtype=dtype)),
}
MEAN, STD, BATCHES, ROWS, FEW = 3.0, 2.0, 60, 32, 8


class Modes(NamedTuple):
    """A batch norm that sees one batch after another: its running statistics, outputs in evaluation, and gradients."""

    running_mean: np.ndarray
    running_var: np.ndarray
    output_mean: np.ndarray
    output_std: np.ndarray
    grad_training: np.ndarray
    grad_evaluation: np.ndarray


def shared(engine: Engine, build: object, seed: int) -> np.ndarray:
    """Return the size of a layer's input gradient, of shape SHAPE, when the upstream gradient is 1 at MARKED alone."""
    layer = build(engine.nn, engine.dtype)
    x = np.random.default_rng(seed).normal(size=SHAPE)
    one_hot = np.zeros(SHAPE)
    one_hot[MARKED] = 1
    return np.abs(engine.forward_backward(layer, x, one_hot)[1])


def modes(engine: Engine, seed: int) -> Modes:
    """Show a batch norm one batch after another, and look at it in evaluation mode after each."""
    draws = np.random.default_rng(seed).normal(MEAN, STD, size=(BATCHES, ROWS, 1))
    layer = engine.nn.BatchNorm1d(1, dtype=engine.dtype)
    rows = []
    for batch in draws:
        layer.train()
        layer(engine.asarray(batch))
        state = engine.state(layer)
        layer.eval()
        output = engine.numpy(layer(engine.asarray(draws[-1])))
        rows.append((state["running_mean"].item(), state["running_var"].item(), output.mean(), output.std()))
    few, one_hot = draws[-1, :FEW], np.eye(FEW)[:, :1]
    grads = [engine.forward_backward(layer.train(mode), few, one_hot)[1][:, 0] for mode in (True, False)]
    return Modes(*np.array(rows).T, *grads)


def draw_cubes(gradients: dict[str, np.ndarray]) -> Figure:
    """Draw, for each layer, the numbers that share a mean with a marked one, as its input gradient shows them."""
    figure = new_figure(WIDTH, 4.0)
    title = "Which numbers share a mean (blue) with the red one, by the layers' own backward\n"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    for index, (name, gradient) in enumerate(gradients.items()):
        axes = figure.add_subplot(1, len(gradients), index + 1, projection="3d")
        cube = (gradient > 0).reshape(*SHAPE[:2], -1)
        marked = np.zeros_like(cube)
        marked[MARKED[0], MARKED[1], MARKED[2] * SHAPE[3] + MARKED[3]] = True
        colours = np.where(marked, RED, np.where(cube, BLUE, "#cfcfcf"))
        axes.voxels(
            np.ones_like(cube).swapaxes(0, 1),
            facecolors=colours.swapaxes(0, 1),
            edgecolor="white",
            lw=0.8,
            shade=False,
        )
        axes.set_title(f"{name}\n{CUBES[name][0]}")
        axes.set(xlabel="channel C", ylabel="sample N", zlabel="position H, W", xticks=[], yticks=[], zticks=[])
        axes.view_init(elev=22, azim=-48)
        axes.set_box_aspect((SHAPE[1], SHAPE[0], SHAPE[2] * SHAPE[3]), zoom=1.0)
        for side in (axes.xaxis, axes.yaxis, axes.zaxis):
            side.labelpad = -12
            side.pane.set_visible(False)
            side.line.set_visible(False)
    return figure


def draw_modes(seen: dict[str, Modes]) -> Figure:
    """Draw what a batch norm learns about its data, and how its two modes differ."""
    figure, ((left, middle, right),) = sheet(1, 3, 3.7, "BatchNorm1d in training and in evaluation")
    batches = np.arange(1, BATCHES + 1)
    line(left, batches, {name: one.running_mean for name, one in seen.items()}, BLUE, "running mean")
    line(left, batches, {name: one.running_var for name, one in seen.items()}, ORANGE, "running variance")
    target(left, MEAN, f"the data's mean, {MEAN:g}", 0.02)
    target(left, STD**2, f"the data's variance, {STD**2:g}", 0.02)
    left.set(title="Training gathers statistics", xlabel="batches seen", ylim=(0, 5.4))
    left.legend(loc="upper right", ncols=2, fontsize=8, handlelength=1.4, columnspacing=1)
    line(middle, batches, {name: one.output_mean for name, one in seen.items()}, BLUE, "mean of the output")
    line(middle, batches, {name: one.output_std for name, one in seen.items()}, ORANGE, "its standard deviation")
    target(middle, 1, "in training always 1", 0.5, -18)
    target(middle, 0, "in training always 0", 0.5)
    middle.set(title="Evaluation relies on them", xlabel="batches seen")
    middle.legend(loc="upper right", fontsize=8)
    for name, colour, shift in (("training", RED, -0.2), ("evaluation", GREEN, 0.2)):
        grads = [getattr(one, f"grad_{name}") for one in seen.values()]
        right.bar(np.arange(FEW) + shift, grads[0], width=0.4, color=colour, alpha=0.4, label=name)
        for other in grads[1:]:
            right.plot(np.arange(FEW) + shift, other, "_", color=colour, ms=7, mew=1.5)
    right.set(title="Gradient of row 0's output", xlabel=f"row of a batch of {FEW}", ylabel="dy[0] / dx[row]")
    right.legend(loc="upper right")
    engine_key(figure, list(seen))
    return figure


def target(axes: Axes, height: float, text: str, place: float, offset: float = 3) -> None:
    """Mark a height that a curve should reach."""
    axes.axhline(height, color=INK, lw=0.8, ls=":")
    where = {"xytext": (0, offset), "textcoords": "offset points", "xycoords": ("axes fraction", "data")}
    axes.annotate(text, (place, height), fontsize=8, **where)


def alone(engine: Engine) -> str:
    """Say what a batch norm does with one row, in training."""
    try:
        engine.nn.BatchNorm1d(2, dtype=engine.dtype)(engine.asarray(np.ones((1, 2))))
    except ValueError as error:
        return f"ValueError: {error}"
    return "accepted"


def run(board: Blackboard) -> None:
    """Ask the layers what they average over, compare the modes, and vary the batch size."""
    engines = board.engines("float64")
    first = engines[0].name
    cubes = {
        engine.name: {name: shared(engine, build, board.seed) for name, (_, build) in CUBES.items()}
        for engine in engines
    }
    board.table(
        f"An input of shape {SHAPE}: how many numbers share a mean with one of them",
        ("layer", "the mean is taken", "numbers, measured", "numbers, by the definition"),
        [
            (name, CUBES[name][0], int((cubes[first][name] > 0).sum()), count)
            for name, count in zip(CUBES, ("N H W = 24", "C H W = 36", "C/3 H W = 12"), strict=True)
        ],
    )
    board.figure("normalization_axes", draw_cubes(cubes[first]))

    seen = {engine.name: modes(engine, board.seed) for engine in engines}
    one = seen[first]
    board.table(
        f"BatchNorm1d on batches of {ROWS} rows from a normal distribution of mean {MEAN:g} and variance {STD**2:g}",
        ("batches seen", "running mean", "running variance", "output's mean in evaluation", "and standard deviation"),
        [(k, *(f"{column[k - 1]:.3f}" for column in one[:4])) for k in (1, 5, 20, BATCHES)],
    )
    board.table(
        "The gradient that the output of row 0 sends to the rows of its batch",
        ("mode", "to row 0", "largest to another row", "sum over the batch"),
        [
            (mode, f"{grad[0]:.4f}", f"{np.abs(grad[1:]).max():.4f}", f"{grad.sum() + 0:.4f}")
            for mode, grad in (("training", one.grad_training), ("evaluation", one.grad_evaluation))
        ],
    )
    board.figure("normalization_modes", draw_modes(seen))

    data = tasks.get("moons").load(board.data_dir)
    measured = {engine.name: batch_size.sizes(engine, data, board.seed) for engine in engines}
    mine = measured[first]
    board.table(
        f"Batch size: statistics, one trained network, and test losses after training for {batch_size.STEPS} steps",
        (
            "batch size",
            "spread of mean",
            "of variance",
            "gradient let through",
            "loss in training mode",
            *batch_size.NORMS,
        ),
        [
            (
                size,
                *(f"{column[k]:.3g}" for column in mine[:3]),
                f"{mine.loss_training_mode[k]:.3f}",
                *(f"{mine.test_loss[norm][:, k].mean():.3f}" for norm in batch_size.NORMS),
            )
            for k, size in enumerate(batch_size.SIZES)
        ],
    )
    board.write(f"The trained network's loss in evaluation mode: {mine.loss_evaluation_mode:.3f}")
    for engine in engines:
        board.write(f"One row alone, in training, {engine.name}: {alone(engine)}")
    board.figure("normalization_batch_size", batch_size.draw_sizes(measured))
    board.differences(
        {
            "gradients of one output": [list(cubes[name].values()) for name in cubes],
            "running statistics and outputs": [seen[name][:4] for name in seen],
            "gradients in both modes": [seen[name][4:] for name in seen],
            "spreads, and gradients let through": [measured[name][:3] for name in measured],
            "losses in training mode": [measured[name].loss_training_mode for name in measured],
            "test losses, batch norm on 2 rows": [one.test_loss["batch norm"][:, 0] for one in measured.values()],
            "test losses, batch norm on more": [one.test_loss["batch norm"][:, 1:] for one in measured.values()],
            "test losses, layer norm": [one.test_loss["layer norm"] for one in measured.values()],
            "test losses, no norm": [one.test_loss["no norm"] for one in measured.values()],
        }
    )
