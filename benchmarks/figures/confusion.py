"""The confusion matrix: which classes are taken for which."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.figures.style import INK, LABELS, new_figure
from benchmarks.runs.training import Trained
from benchmarks.tasks import Data, Task

SHADES = LinearSegmentedColormap.from_list("mistakes", ("#ffffff", "#f6c9a8", "#d6492a", "#7d1414"))
SHADES = SHADES.with_extremes(bad="#e6ecf2")


def confusion(task: Task, data: Data, trained: list[Trained]) -> Figure:
    """Count test images by true and predicted class; the mistakes are coloured, the diagonal is not."""
    count = len(data.classes)
    matrices = [confusion_matrix(data.y_test, one.engine.predict(one.model, data.x_test), count) for one in trained]
    off_diagonal = ~np.eye(count, dtype=bool)
    worst = max(1, *(int(matrix[off_diagonal].max()) for matrix in matrices))
    figure = new_figure(1.4 + 5.2 * len(trained), 5.6)
    every = figure.subplots(1, len(trained), squeeze=False, sharey=True)[0]
    for axes, one, matrix in zip(every, trained, matrices, strict=True):
        shown = axes.imshow(np.where(off_diagonal, matrix, np.nan), cmap=SHADES, vmin=0, vmax=worst)
        for true, predicted in np.argwhere(matrix > 0):
            mistakes = matrix[true, predicted] if true != predicted else 0
            look = {"color": "white" if mistakes > 0.55 * worst else INK, "weight": "normal" if mistakes else "bold"}
            axes.text(predicted, true, matrix[true, predicted], ha="center", va="center", fontsize=8, **look)
        long = max(map(len, data.classes)) > 2
        axes.set_xticks(range(count), data.classes, rotation=45 if long else 0, ha="right" if long else "center")
        axes.set_yticks(range(count), data.classes)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted class")
        axes.set_title(f"{LABELS[one.engine.name]}: {int(matrix[off_diagonal].sum())} mistakes in {matrix.sum():,}")
    every[0].set_ylabel("true class")
    bar = figure.colorbar(shown, ax=list(every), shrink=0.8)
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar.set_label("test images, mistakes only")
    figure.suptitle(f"{task.title}: which class is mistaken for which")
    return figure


def confusion_matrix(targets: np.ndarray, logits: np.ndarray, classes: int) -> np.ndarray:
    """Count rows by true class (first axis) and predicted class (second)."""
    cells = targets * classes + logits.argmax(axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)
