"""How far apart two engines' losses are, against the step."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures.style import new_figure
from benchmarks.runs.drift import Drift

COLOURS = {"float32": "#b3478c", "float64": "#2a7f62"}


def drift(title: str, drifts: dict[str, list[Drift]]) -> Figure:
    """Draw the relative differences on a logarithmic scale, a colour for each dtype.

    Parameters
    ----------
    title : str
        What was trained.
    drifts : dict
        The runs of each dtype, by dtype.
    """
    figure = new_figure(10, 4.6)
    axes = figure.subplots()
    for dtype, runs in drifts.items():
        for number, one in enumerate(runs):
            steps = np.arange(1, len(one.relative) + 1)
            shown = np.isfinite(one.relative) & (one.relative > 0)
            axes.plot(
                steps[shown],
                one.relative[shown],
                ".",
                markersize=3,
                color=COLOURS[dtype],
                alpha=0.5,
                label=f"{dtype}: {one.words()}" if number == 0 else None,
            )
        epsilon = float(np.finfo(dtype).eps)
        axes.axhline(epsilon, color=COLOURS[dtype], linewidth=0.8, linestyle="--")
        axes.annotate(
            f"{dtype}: one unit in the last place",
            (0.995, epsilon),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=COLOURS[dtype],
        )
    axes.set_yscale("log")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("relative difference of the losses")
    axes.set_title(title)
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2, markerscale=4)
    return figure
