"""What the first convolution of an image network has learned: its filters, and what they see."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.figures.style import LABELS, new_figure
from benchmarks.runs.training import Trained
from benchmarks.tasks import Data, Task

IMAGES = 8
MAPS = 8
ACROSS = 8


def feature_maps(task: Task, data: Data, trained: list[Trained]) -> Figure:
    """Draw eight test images, and what the first convolution and its ReLU make of them.

    Each row is an image. The eight filters see different things in the first engine; every engine shows the same eight.
    """
    images = data.x_test[first_of_classes(data.y_test, IMAGES)]
    maps = {}
    for one in trained:
        convolution, relu = one.model.feat[0], one.model.feat[1]
        maps[one.engine.name] = one.engine.predict(relu, one.engine.predict(convolution, images))
    chosen = most_different(next(iter(maps.values())), MAPS)

    figure = new_figure(1.2 + 6.2 * len(trained), 7)
    every = figure.subplots(1, 1 + len(trained), width_ratios=[28] + [30 * MAPS - 2] * len(trained))
    mosaic(every[0], images, cmap="gray_r")
    every[0].set_title("input\n", fontsize=9)
    for axes, (engine, channels) in zip(every[1:], maps.items(), strict=True):
        shown = channels[:, chosen] / np.maximum(channels[:, chosen].max(axis=(0, 2, 3), keepdims=True), 1e-12)
        centres, _ = mosaic(axes, shown, cmap="magma")
        axes.xaxis.tick_top()
        axes.set_xticks(centres, [f"filter {channel}" for channel in chosen], fontsize=8)
        axes.set_title(LABELS[engine])
    figure.suptitle(f"{task.title}: what the first convolution and its ReLU see (black: nothing)\n", fontsize=13)
    figure.get_layout_engine().set(wspace=0.03)
    return figure


def filters(task: Task, trained: list[Trained]) -> Figure:
    """Draw the weights of the first convolution's filters, by number, on one colour scale about zero."""
    weights = {one.engine.name: one.engine.state(one.model)["feat.0.weight"] for one in trained}
    top = max(np.abs(weight).max() for weight in weights.values())
    figure = new_figure(1.2 + 4.6 * len(trained), 3)
    every = figure.subplots(1, len(trained), squeeze=False)[0]
    for axes, (engine, weight) in zip(every, weights.items(), strict=True):
        rows = weight.reshape(-1, ACROSS, *weight.shape[2:])
        across, down = mosaic(axes, rows, cmap="RdBu_r", vmin=-top, vmax=top)
        axes.set_xticks(across, [f"+{number}" for number in range(ACROSS)])
        axes.set_yticks(down, [str(ACROSS * number) for number in range(len(rows))])
        axes.set_title(LABELS[engine])
    every[0].set_ylabel("filter")
    figure.colorbar(every[-1].images[0], ax=list(every), shrink=0.8).set_label("weight")
    figure.suptitle(f"{task.title}: the filters of the first convolution (red: positive, blue: negative)")
    return figure


def mosaic(axes: Axes, tiles: np.ndarray, **look: object) -> tuple[np.ndarray, np.ndarray]:
    """Draw tiles (rows, columns, H, W) as one image with gaps; return the centres of the columns and of the rows."""
    rows, columns, height, width = tiles.shape
    gap = max(1, width // 12)
    canvas = np.full((rows, height + gap, columns, width + gap), np.nan)
    canvas[:, :height, :, :width] = tiles.swapaxes(1, 2)
    canvas = canvas.reshape(rows * (height + gap), columns * (width + gap))[:-gap, :-gap]
    axes.imshow(canvas, interpolation="none", **look)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    across, down = np.arange(columns) * (width + gap), np.arange(rows) * (height + gap)
    return across + (width - 1) / 2, down + (height - 1) / 2


def first_of_classes(targets: np.ndarray, count: int) -> np.ndarray:
    """Return the index of the first row of each of the first ``count`` classes that occur."""
    return np.unique(targets, return_index=True)[1][:count]


def most_different(channels: np.ndarray, count: int) -> np.ndarray:
    """Choose channels of (N, C, H, W): the one that varies most, then each time the one least like those chosen."""
    rows = channels.swapaxes(0, 1).reshape(channels.shape[1], -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.sqrt((rows**2).sum(axis=1))
    faint = norms < 0.2 * norms.max()
    likeness = np.abs(rows @ rows.T) / np.maximum(np.outer(norms, norms), 1e-12)
    chosen = [int(norms.argmax())]
    while len(chosen) < count:
        closest = likeness[chosen].max(axis=0) + faint
        closest[chosen] = np.inf
        chosen.append(int(closest.argmin()))
    return np.sort(chosen)
