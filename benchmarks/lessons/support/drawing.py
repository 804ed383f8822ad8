"""How the course's figures look: the style of `benchmarks.figures`, and one way to show two engines at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from benchmarks.figures.style import INK, LABELS, new_figure

BLUE, ORANGE, GREEN, RED, PURPLE, BROWN = "#1765ad", "#e07b00", "#2e8b57", "#c0392b", "#7d55b5", "#8c6248"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, "#cf5fa5", "#1ba3a8")
GREY = "#777777"

# Nine inches are 900 pixels where a page shows a figure at the usual 100 pixels an inch.
WIDTH = 9.0

# Where the engines agree, their curves lie on one another: the first is drawn wide and pale, so that both are seen.
FIRST = {"linewidth": 4.5, "alpha": 0.4, "solid_capstyle": "round"}
SECOND = {"linewidth": 1.3, "linestyle": (0, (4, 2.5))}


def sheet(rows: int, columns: int, height: float, title: str, **options: object) -> tuple[Figure, np.ndarray]:
    """Return a figure with a title and a grid of axes, always of shape (rows, columns)."""
    figure = new_figure(WIDTH, height)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
    every = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in every.flat:
        ruled(axes)
    return figure, every


def ruled(axes: Axes) -> None:
    """Draw a quiet grid behind the curves."""
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def decimal(axis: Axis) -> None:
    """Label a logarithmic axis 0.5, 1, 2, 5, 10 and so on; by default, part of a decade reads 6 x 10^0, 2 x 10^1."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def line(axes: Axes, x: np.ndarray, ys: Mapping[str, np.ndarray], colour: str, label: str | None = None) -> None:
    """Draw one curve as each engine computed it."""
    if len(ys) == 1:
        axes.plot(x, *ys.values(), color=colour, linewidth=2, label=label)
        return
    first, second = ys.values()
    axes.plot(x, first, color=colour, label=label, **FIRST)
    axes.plot(x, second, color=colour, **SECOND)


def band(axes: Axes, x: np.ndarray, runs: np.ndarray, colour: str) -> None:
    """Shade from the smallest to the largest of several runs."""
    axes.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.15, lw=0)


def engine_key(figure: Figure, engines: Sequence[str]) -> None:
    """Say in the lower margin how each engine is drawn."""
    looks = (FIRST, SECOND) if len(engines) > 1 else ({"linewidth": 2},)
    handles = [
        Line2D([], [], color=INK, label=LABELS[engine], **look) for engine, look in zip(engines, looks, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=9, handlelength=3.5)


def picture(axes: Axes, image: np.ndarray, title: str = "", **options: object) -> None:
    """Show an image without ticks, grid or frame."""
    axes.imshow(image, **options)
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=9, pad=3)
