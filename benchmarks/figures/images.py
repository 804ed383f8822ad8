"""What the first convolution of an image network has learned: its filters, and what they see."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures.style import LABELS, bare, new_figure
from benchmarks.tasks import Data, Task
from benchmarks.training import Trained

IMAGES = 8
MAPS = 8


def feature_maps(task: Task, data: Data, trained: list[Trained]) -> Figure:
    """Draw eight test images, and what the first convolution and its ReLU make of them.

    A row is an image. The filters are eight that see different things in the first engine; the same ones in each.
    """
    images = data.x_test[first_of_classes(data.y_test, IMAGES)]
    maps = {}
    for one in trained:
        convolution, relu = one.model.feat[0], one.model.feat[1]
        maps[one.engine.name] = one.engine.predict(relu, one.engine.predict(convolution, images).copy())
    chosen = most_different(next(iter(maps.values())), MAPS)

    figure = new_figure(0.3 + 0.72 * (1 + (MAPS + 0.3) * len(trained)), 1.2 + 0.7 * IMAGES)
    panels = figure.subfigures(1, 1 + len(trained), width_ratios=[1.15] + [MAPS] * len(trained))
    column = panels[0].subplots(IMAGES, 1)
    for axes, image in zip(column, images, strict=True):
        axes.imshow(image[0], cmap="gray_r")
        bare(axes)
    column[0].set_title("input", fontsize=9)
    panels[0].suptitle(" ")
    for panel, (engine, channels) in zip(panels[1:], maps.items(), strict=True):
        panel.suptitle(LABELS[engine], fontsize=11)
        grid = panel.subplots(IMAGES, MAPS)
        for column_index, channel in enumerate(chosen):
            top = max(channels[:, channel].max(), 1e-12)
            for row in range(IMAGES):
                axes = grid[row, column_index]
                axes.imshow(channels[row, channel], cmap="magma", vmin=0, vmax=top)
                bare(axes)
            grid[0, column_index].set_title(f"filter {channel}", fontsize=9)
    figure.suptitle(f"{task.title}: first convolution and ReLU on eight test images (bright: strong response)")
    return figure


def first_of_classes(targets: np.ndarray, count: int) -> np.ndarray:
    """Return the place of the first row of each of the first ``count`` classes."""
    return np.array([np.flatnonzero(targets == target)[0] for target in range(count)])


def most_different(channels: np.ndarray, count: int) -> np.ndarray:
    """Choose channels of (N, C, H, W): the one that varies most, then always the one least like those chosen."""
    rows = channels.swapaxes(0, 1).reshape(channels.shape[1], -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.sqrt((rows**2).sum(axis=1))
    alive = norms > 0.05 * norms.max()
    likeness = np.abs(rows @ rows.T) / np.maximum(np.outer(norms, norms), 1e-12)
    chosen = [int(norms.argmax())]
    while len(chosen) < count:
        closest = np.where(alive, likeness[chosen].max(axis=0), 1.0)
        closest[chosen] = 2.0
        chosen.append(int(closest.argmin()))
    return np.sort(chosen)


def filters(task: Task, trained: list[Trained]) -> Figure:
    """Draw the 3 x 3 weights of the first convolution's filters, by number, on one colour scale about zero."""
    weights = {one.engine.name: one.engine.state(one.model)["feat.0.weight"][:, 0] for one in trained}
    top = max(np.abs(weight).max() for weight in weights.values())
    across = 8
    down = -(-len(next(iter(weights.values()))) // across)
    figure = new_figure(1.0 + 5.0 * len(trained), 0.9 + 0.75 * down)
    panels = figure.subfigures(1, len(trained), squeeze=False)[0]
    for panel, (engine, weight) in zip(panels, weights.items(), strict=True):
        panel.suptitle(LABELS[engine], fontsize=11)
        grid = panel.subplots(down, across)
        for number, axes in enumerate(grid.ravel()):
            bare(axes)
            if number < len(weight):
                shown = axes.imshow(weight[number], cmap="RdBu_r", vmin=-top, vmax=top)
                axes.set_xlabel(number, fontsize=8, labelpad=1)
    bar = panels[-1].colorbar(shown, ax=list(panels[-1].axes), shrink=0.9)
    bar.set_label("weight")
    figure.suptitle(f"{task.title}: the filters of the first convolution (red: positive, blue: negative)")
    return figure
