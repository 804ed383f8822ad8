r"""Convolution: the same small question asked at every place in an image.

    F1  y[k, p, q] = b[k] + sum_c sum_ij w[k, c, i, j] x[c, p + i - 1, q + j - 1]      3 x 3, padding 1
    F2  pooled[k, p, q] = max of y[k, 2p : 2p + 2, 2q : 2q + 2]

The SmallCNN does this twice, with a ReLU in between: 28 x 28 pixels become 32 maps of 14 x 14, then 64 maps of 7 x 7,
from which two linear layers decide. This lesson trains it for a few seconds and looks inside.

Feature maps. Each filter of the first convolution responds to edges and strokes of one direction; the second
convolution, which sees these responses over a wider field, responds to their arrangements.

Translation. If the input moves by a pixel, a convolution's maps move by a pixel and are otherwise the same (exactly,
away from the border: nothing in F1 depends on the position). After max pooling, the maps move only if the input moves
by a multiple of the stride; for smaller moves the maximum often stays in its window, and the maps change less than the
input did. So each pooling takes away some of the change, and yet the network is not invariant: move the digit by a few
pixels, and the accuracy, learned on centred digits, falls. The lesson measures all three.

Average pooling returns the mean of a window instead of its maximum. It is linear: each of four pixels gets a quarter of
the gradient, where max pooling gives all of it to the winner. The lesson pools the same maps both ways, and measures
how much the results change when the digit moves. A convolution with strides shrinks maps without any pooling.

Weight sharing. The same filter is used at every place, so the number of parameters does not depend on the size of the
image. A local layer has the same connections but separate weights at each place: its parameters are those of the
convolution times the number of places. A dense layer with the same input and output connects everything. The table
counts all three.

The receptive field of a unit is the set of pixels that it can see. Send back a gradient that is 1 at this unit and 0 at
all others: the input gradient is dy/dx, and the unit sees every pixel where that is not 0 for some image. The size can
be computed:

    field <- field + (kernel - 1) jump,   jump <- jump stride        from field = jump = 1, layer by layer

conv1 3, pool1 4, conv2 8, pool2 10 pixels. A single image shows less: a ReLU passes the gradient on only where its
input is above 0, and max pooling only to the maximum. And the middle counts more than the rim, because more paths lead
there.

In reinforcement learning. DQN's encoder is three convolutions, two with strides, and no pooling (Mnih et al., 2015),
and most agents that learn from Atari's pixels begin with it: PPO's policy and critic share one (OpenAI Baselines,
common/models.py: nature_cnn). Pooling gives up positions, and it matters where the ball is; strides give them up, too,
but the filters learn how. Dreamer's world model has a similar encoder, and a decoder that undoes it with transposed
convolutions.

Takeaways. A convolution has few parameters because it asks the same question everywhere, and its maps move with the
input. Pooling forgets small moves, but that does not make a network invariant. A unit's receptive field can be
computed, and measured from its gradient.

Next: `backprop lesson speed`, how such a layer is made as fast as PyTorch's.

Read: scratch/nn/conv.py, scratch/nn/max_pooling.py, scratch/models.py (SmallCNN).
Run:  backprop lesson convolution [--data-dir DIR]       MNIST if its files are there, else the bundled digits
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from benchmarks import tasks
from benchmarks.engines import Engine
from benchmarks.figures.images import mosaic, most_different
from benchmarks.figures.style import INK, LABELS, new_figure
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.cnn_stages import (
    FEATURES,
    STAGES,
    Field,
    computed_field,
    outputs,
    receptive_field,
    strides,
)
from benchmarks.lessons.support.drawing import COLOURS, RED, WIDTH, engine_key, line, picture, sheet
from benchmarks.lessons.support.pooling_and_sharing import POOLINGS, WINDOW, moved, parameters, pool, relative
from benchmarks.tasks import Data

SHIFTS = (1, 2, 3, 4)
FAR = tuple(range(9))
MARGIN = 8
LOOK, FIELD_IMAGES, TESTED = 200, 300, 500
MAPS = {1: 10, 2: 6}
LOOKED_AT = ("conv1", "pool1", "conv2", "pool2")
TRAIN_ROWS, BATCH, STEPS = 6400, 64, 100


class Inside(NamedTuple):
    """What the lesson measures in a trained network."""

    maps: dict[str, np.ndarray]
    change: np.ndarray
    residue: np.ndarray
    accuracy: np.ndarray
    fields: dict[str, Field]


def train(engine: Engine, data: Data, seed: int) -> object:
    """Train the SmallCNN, without dropout, for about STEPS steps."""
    engine.manual_seed(seed)
    model = engine.models.SmallCNN(pdrop=0.0, dtype=engine.dtype)
    rows = min(TRAIN_ROWS, len(data.x_train))
    engine.train.fit(
        model,
        engine.nn.CrossEntropyLoss(),
        engine.optim.Adam(model.parameters(), lr=2e-3),
        (engine.asarray(data.x_train[:rows]), engine.asarray(data.y_train[:rows])),
        (engine.asarray(data.x_test[:LOOK]), engine.asarray(data.y_test[:LOOK])),
        epochs=max(1, round(STEPS * BATCH / rows)),
        batch_size=BATCH,
    )
    return model.eval()


def translate(engine: Engine, model: object, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure how each stage changes when the input moves (shift, stage): as it is, and with its maps moved along.

    The second is measured away from the border. It is the smaller of two changes where the maps would have to move by a
    fraction of a place, rounded down or up. It is NaN for the stages that have no maps.
    """
    still = outputs(engine, model, x)
    change, residue = np.empty((len(SHIFTS), len(STAGES))), np.full((len(SHIFTS), len(STAGES)), np.nan)
    for row, shift in enumerate(SHIFTS):
        shifted = outputs(engine, model, moved(x, shift))
        for column, stage in enumerate(STAGES):
            change[row, column] = relative(shifted[stage] - still[stage], still[stage])
        for column, (stage, jump) in enumerate(strides().items()):
            inside = slice(MARGIN // jump, -(MARGIN // jump))
            inner = (..., inside, inside)
            after, before = shifted[stage][inner], still[stage]
            along = [moved(before, places)[inner] for places in {shift // jump, -(-shift // jump)}]
            residue[row, column] = min(relative(after - one, before[inner]) for one in along)
    return change, residue


def accuracy(engine: Engine, model: object, data: Data) -> np.ndarray:
    """Return the accuracy on test images moved by each number of pixels in FAR."""
    x, y = data.x_test[:TESTED], data.y_test[:TESTED]
    return np.array([(engine.predict(model, moved(x, shift)).argmax(axis=1) == y).mean() for shift in FAR])


def look_inside(engine: Engine, model: object, data: Data) -> Inside:
    """Take all the measurements of a trained network."""
    x = data.x_test
    fields = {stage: receptive_field(engine, model, x[:FIELD_IMAGES], stage) for stage in LOOKED_AT}
    measured = translate(engine, model, x[:LOOK]), accuracy(engine, model, data)
    return Inside(outputs(engine, model, x[:LOOK]), *measured[0], measured[1], fields)


def draw_maps(title: str, image: np.ndarray, inside: dict[str, Inside]) -> Figure:
    """Draw one image on its way through the layers."""
    figure = new_figure(WIDTH, 5.0)
    figure.suptitle(
        f"{title}: one image on its way through the SmallCNN", x=0.01, ha="left", fontsize=12.5, weight="bold"
    )
    count = MAPS[len(inside)]
    grid = figure.add_gridspec(len(FEATURES), 1 + len(inside), width_ratios=[1.4] + [count] * len(inside))
    picture(figure.add_subplot(grid[:2, 0]), image[0], "input, 28 x 28", cmap="gray_r")
    first = next(iter(inside.values())).maps
    chosen = {1: most_different(first["relu1"], count), 2: most_different(first["relu2"], count)}
    for column, (engine, one) in enumerate(inside.items(), start=1):
        for row, (stage, *_) in enumerate(FEATURES):
            axes = figure.add_subplot(grid[row, column])
            channels = chosen[int(stage[-1])]
            maps = one.maps[stage][:1, channels]
            maps = maps / np.maximum(np.abs(first[stage][:1, channels]).max(axis=(2, 3), keepdims=True), 1e-12)
            signed = stage.startswith("conv")
            mosaic(axes, maps, cmap="RdBu_r" if signed else "magma", vmin=-1 if signed else 0, vmax=1)
            if column == 1:
                side = maps.shape[-1]
                axes.set_ylabel(f"{stage}\n{side} x {side}", rotation=0, ha="right", va="center", fontsize=9)
            if row == 0:
                axes.set_title(LABELS[engine])
    figure.get_layout_engine().set(wspace=0.05)
    return figure


def draw_translation(inside: dict[str, Inside]) -> Figure:
    """Draw how a move of the input changes the stages and the accuracy."""
    figure, ((change, residue, right),) = sheet(1, 3, 4.0, "The digit moves to the right: what each stage notices")
    stages, maps = np.arange(len(STAGES)), len(FEATURES)
    for row, (shift, colour) in enumerate(zip(SHIFTS, COLOURS, strict=False)):
        line(change, stages, {name: 100 * one.change[row] for name, one in inside.items()}, colour)
        left = {name: 100 * one.residue[row, :maps] for name, one in inside.items()}
        line(residue, stages[:maps], left, colour, f"{shift}")
    change.set(title="How much it changes", ylabel="change, of the size of the output (%)")
    residue.legend(title="pixels", title_fontsize=9, loc="upper left", handlelength=1.5)
    residue.set(title="... once its maps are moved along", ylabel="change that is left (%)")
    for axes, count in ((change, len(STAGES)), (residue, maps)):
        axes.set_xticks(stages[:count], STAGES[:count], rotation=45, ha="right")
        axes.set_ylim(bottom=-4)
    line(right, np.array(FAR), {name: one.accuracy for name, one in inside.items()}, INK)
    right.set(title="What it does to the answer", xlabel="pixels moved", ylabel="test accuracy", ylim=(0, 1.03))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    engine_key(figure, list(inside))
    return figure


def draw_fields(inside: dict[str, Inside]) -> Figure:
    """Draw what one unit of each stage sees, and the field computed from its layers' kernels and strides."""
    rows = 1 + len(inside)
    title = "The receptive field of one unit: its gradient with respect to the input"
    figure, every = sheet(rows, len(LOOKED_AT), 0.8 + 1.75 * rows, title)
    first = next(iter(inside.values()))
    for column, stage in enumerate(LOOKED_AT):
        start, size = computed_field(stage, first.maps[stage].shape[-1] // 2)
        one = first.fields[stage].one
        top = np.abs(one).max()
        picture(every[0, column], one, f"{stage}: {size} x {size}", cmap="RdBu_r", vmin=-top, vmax=top)
        for row, (name, found) in enumerate(inside.items(), start=1):
            picture(every[row, column], found.fields[stage].mean, cmap="Blues")
            every[row, 0].set_ylabel(f"mean size over\n{FIELD_IMAGES} images,\n{LABELS[name]}", fontsize=9)
        for axes in every[:, column]:
            axes.add_patch(Rectangle((start - 0.5, start - 0.5), size, size, fill=False, edgecolor=RED, lw=1.4))
            axes.set(xlim=(7.5, 20.5), ylim=(20.5, 7.5))
    every[0, 0].set_ylabel("one image\n(red +, blue -)", fontsize=9)
    every[-1, 0].set_xlabel("box: the computed field", fontsize=9, loc="left")
    return figure


def show_sharing(board: Blackboard, engine: Engine) -> None:
    """Put on the board how many parameters a convolution saves by sharing its weights."""
    board.table(
        "Parameters of layers with the same input and output",
        ("layer", "convolution, shared weights", "local, a weight for each place", "dense"),
        [(name, *(f"{count:,}" for count in counts)) for name, *counts in parameters(engine)],
    )


def show_pooling(board: Blackboard, models: dict[Engine, object], data: Data) -> dict[str, list[np.ndarray]]:
    """Compare average and max pooling on the board, and return how much their maps change in each engine."""
    x = data.x_test[:LOOK]
    every = {name: [pool(engine, name, model, x, SHIFTS) for engine, model in models.items()] for name in POOLINGS}
    board.table(
        f"Pooling the window {WINDOW[0, 0].astype(int).tolist()}, and the first maps of a digit that moves",
        ("layer", "value", "its gradient", *(f"change at {shift}" for shift in SHIFTS)),
        [
            (name, f"{one.value:g}", one.grad.tolist(), *(f"{change:.0%}" for change in one.change))
            for name, (one, *_) in every.items()
        ],
    )
    return {f"change of the maps, {name}": [one.change for one in found] for name, found in every.items()}


def run(board: Blackboard) -> None:
    """Train the network in every engine, and look inside."""
    title, data = tasks.mnist_or_digits(board.data_dir)
    models = {engine: train(engine, data, board.seed) for engine in board.engines()}
    inside = {engine.name: look_inside(engine, model, data) for engine, model in models.items()}
    first = next(iter(inside))
    found = inside[first]
    board.write(f"{title}: test accuracy after {STEPS} steps, {first}: {found.accuracy[0]:.4f}")
    board.figure("convolution_maps", draw_maps(title, data.x_test[0], inside))

    board.table(
        "Change of each stage when the input moves, in % of its size (in brackets: once its maps move along)",
        ("moved by", *STAGES),
        [
            (
                shift,
                *(
                    f"{100 * change:.0f}" + ("" if np.isnan(left) else f" ({100 * left:.0f})")
                    for change, left in zip(found.change[row], found.residue[row], strict=True)
                ),
            )
            for row, shift in enumerate(SHIFTS)
        ],
    )
    board.table(
        "Accuracy on moved digits",
        ("pixels", *FAR),
        [(name, *(f"{value:.3f}" for value in one.accuracy)) for name, one in inside.items()],
    )
    board.figure("convolution_translation", draw_translation(inside))
    pooled = show_pooling(board, models, data)
    show_sharing(board, next(iter(models)))

    middles = {stage: found.maps[stage].shape[-1] // 2 for stage in LOOKED_AT}
    computed = {stage: computed_field(stage, middles[stage]) for stage in LOOKED_AT}
    board.table(
        "Receptive field of the unit in the middle",
        (
            "stage",
            "unit",
            "computed, first pixel",
            "and size",
            "measured, first pixel",
            "and size",
            "pixels in one image",
        ),
        [
            (
                stage,
                f"({middles[stage]}, {middles[stage]})",
                *computed[stage],
                f"{field.rows[0]}, {field.columns[0]}",
                f"{field.rows[1]} x {field.columns[1]}",
                int((field.one != 0).sum()),
            )
            for stage, field in found.fields.items()
        ],
    )
    board.figure("convolution_receptive_field", draw_fields(inside))
    board.differences(
        {
            **{f"maps after {stage}": [one.maps[stage] for one in inside.values()] for stage in STAGES},
            "changes": [one.change for one in inside.values()],
            "accuracies": [one.accuracy for one in inside.values()],
            **pooled,
            **{
                f"mean gradient of a unit of {stage}": [one.fields[stage].mean for one in inside.values()]
                for stage in LOOKED_AT
            },
        }
    )
