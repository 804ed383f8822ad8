"""The decision boundary of a network on the plane."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure

from benchmarks.figures.style import LABELS, new_figure
from benchmarks.runs.training import Trained
from benchmarks.tasks import Data, Task

POINTS = ("#3d348b", "#c0392b")
SHADES = LinearSegmentedColormap.from_list("shades", ("#b9b3ec", "#ffffff", "#f7c3bb"))


def boundary(task: Task, data: Data, trained: list[Trained]) -> Figure:
    """Draw the probability of the second class as shading, 1/2 as a line, and the test points; mistakes are ringed."""
    figure = new_figure(2 + 5.2 * len(trained), 4.4)
    every = figure.subplots(1, len(trained), squeeze=False, sharex=True, sharey=True)[0]
    x, y = data.x_test, data.y_test
    (left, bottom), (right, top) = x.min(axis=0) - 0.3, x.max(axis=0) + 0.3
    across, up = np.meshgrid(np.linspace(left, right, 300), np.linspace(bottom, top, 240))
    grid = np.stack([across.ravel(), up.ravel()], axis=1)
    for axes, one in zip(every, trained, strict=True):
        logits = one.engine.predict(one.model, grid).astype(np.float64)
        second = (1 + np.tanh((logits[:, 1] - logits[:, 0]) / 2)) / 2  # softmax of two, written as a sigmoid
        second = second.reshape(across.shape)
        shade = axes.contourf(across, up, second, levels=np.linspace(0, 1, 21), cmap=SHADES)
        axes.contour(across, up, second, levels=[0.5], colors="#222222", linewidths=1.8)
        wrong = one.engine.predict(one.model, x).argmax(axis=1) != y
        axes.scatter(*x.T, c=y, s=13, cmap=ListedColormap(POINTS), edgecolors="white", linewidths=0.4)
        axes.scatter(*x[wrong].T, s=52, facecolors="none", edgecolors="#222222", linewidths=0.9)
        axes.set_title(f"{LABELS[one.engine.name]}: {1 - wrong.mean():.1%} of {len(x)} test points")
        axes.set_xlabel("$x_1$")
        axes.set_aspect("equal")
    every[0].set_ylabel("$x_2$")
    bar = figure.colorbar(shade, ax=list(every), ticks=[0, 0.5, 1], shrink=0.8)
    bar.set_label(f"probability of the {data.classes[1]}")
    figure.suptitle(f"{task.title}: decision boundary and test points, mistakes ringed")
    return figure
