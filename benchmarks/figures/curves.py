"""Loss and accuracy against the epoch."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from benchmarks.figures.style import COLOURS, LABELS, new_figure
from benchmarks.runs.training import Trained
from benchmarks.tasks import Task

# Where the engines agree the curves coincide: the first is drawn wide and pale, so that both can be seen.
WIDTHS = (5.0, 1.6)
OPACITY = (0.45, 1.0)


def curves(task: Task, trained: list[Trained]) -> Figure:
    """Draw loss (left) and accuracy (right), training dashed and test solid, a colour for each engine."""
    figure = new_figure(10, 4.4)
    loss, accuracy = figure.subplots(1, 2)
    for index, one in enumerate(trained):
        place = index if len(trained) > 1 else -1
        look = {"color": COLOURS[one.engine.name], "linewidth": WIDTHS[place], "alpha": OPACITY[place]}
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            _curve(axes, one.history[f"train_{quantity}"], f"{LABELS[one.engine.name]}, training", "--", **look)
            _curve(axes, one.history[f"test_{quantity}"], f"{LABELS[one.engine.name]}, test", "-", **look)

    _scale(loss, trained)
    loss.set_ylabel("mean cross-entropy")
    loss.set_title("Loss")
    _limit(accuracy, trained)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_ylabel("share classified correctly")
    accuracy.set_title("Accuracy")
    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(True, color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
    figure.legend(*loss.get_legend_handles_labels(), loc="outside lower center", ncols=2 * len(trained))
    figure.suptitle(f"{task.title}: training (mean over the epoch, dropout on) and test (after the epoch)")
    return figure


def _curve(axes: Axes, values: list[float], label: str, style: str, **look: object) -> None:
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, style, label=label, marker="o" if len(values) <= 10 else "", markersize=5, **look)


def _scale(axes: Axes, trained: list[Trained]) -> None:
    """Make the axis logarithmic, unless a value cannot be shown on one."""
    values = [value for one in trained for split in ("train", "test") for value in one.history[f"{split}_loss"]]
    if all(math.isfinite(value) and value > 0 for value in values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def _limit(axes: Axes, trained: list[Trained]) -> None:
    """Start the axis at the level of the second epoch: the first would squeeze all later ones against the top."""
    later = [value for one in trained for split in ("train", "test") for value in one.history[f"{split}_accuracy"][1:]]
    if later and max(later) > min(later):
        margin = 0.08 * (max(later) - min(later))
        axes.set_ylim(min(later) - margin, max(later) + margin)
