"""How far apart the two engines are, as a heat map: a row for each layer, a column for each quantity and dtype."""

from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from benchmarks.figures.style import INK, new_figure
from parity_tests.harness.sweep import DTYPES, QUANTITIES, Row

LOWEST = -4
COLOURS = LinearSegmentedColormap.from_list("share", ["#e9f3ee", "#8fc7a9", "#2a7f62", "#14463a"])
PANELS, ROW = 3, 0.19  # panels side by side; a row's height in inches
PLURALS = {"loss": "losses"}


def parity(rows: list[Row]) -> Figure:
    """Draw the worst error as a share of its rounding budget, on a logarithmic scale; above 1 in red.

    The numbers are in the table that `backprop parity` prints: there are too many for a figure.

    Parameters
    ----------
    rows : list of Row
        In the order in which the names are shown, all of one kind together.
    """
    lines = _lines(rows)
    height = -(-len(lines) // PANELS)
    figure = new_figure(8.6, ROW * height + 2.2)
    panels = figure.subplots(1, PANELS, squeeze=False)[0]
    for place, axes in enumerate(panels):
        mesh = _draw(axes, lines[place * height : (place + 1) * height], height)
    cases = sum(row.cases for row in rows)
    figure.suptitle(f"scratch against PyTorch: worst error / rounding budget ({cases:,} cases)", fontsize=11)
    bar = figure.colorbar(mesh, ax=panels, orientation="horizontal", extend="max", aspect=50, pad=0.01)
    ticks = np.arange(LOWEST, 1)
    bar.set_ticks(
        ticks, labels=[f"≤ $10^{{{LOWEST}}}$", *(f"$10^{{{tick}}}$" for tick in ticks[1:-1]), "1: the budget"]
    )
    bar.ax.tick_params(labelsize=8.5)
    bar.outline.set_visible(False)
    return figure


def _lines(rows: list[Row]) -> list[tuple[str, np.ndarray | None]]:
    """Return names with their shares, NaN where there is none; above each kind its name, without shares."""
    lines: list[tuple[str, np.ndarray | None]] = []
    for kind, group in groupby(rows, key=lambda row: row.kind):
        lines.append((PLURALS.get(kind, f"{kind}s"), None))
        shares: dict[str, np.ndarray] = {}
        for row in group:
            own = shares.setdefault(row.name, np.full(len(DTYPES) * len(QUANTITIES), np.nan))
            for quantity, worst in row.worst.items():
                own[DTYPES.index(row.dtype) * len(QUANTITIES) + QUANTITIES.index(quantity)] = worst.share
        lines += shares.items()
    return lines


def _draw(axes: Axes, lines: list[tuple[str, np.ndarray | None]], height: int) -> QuadMesh:
    """Draw a panel, as high as its neighbours."""
    columns = len(DTYPES) * len(QUANTITIES)
    shares = np.full((height, columns), np.nan)
    for y, (_, own) in enumerate(lines):
        if own is not None:
            shares[y] = own
    with np.errstate(divide="ignore"):
        shown = np.clip(np.log10(shares), LOWEST, 1)
    colours = COLOURS.with_extremes(over="#c62828", bad="white")
    mesh = axes.pcolormesh(shown, cmap=colours, norm=Normalize(LOWEST, 0), edgecolors="white", linewidth=1)
    axes.axvline(len(QUANTITIES), color="white", linewidth=3)
    axes.set_yticks(np.arange(len(lines)) + 0.5, [name.capitalize() if own is None else name for name, own in lines])
    axes.tick_params(length=0, labelsize=8)
    for label, (_, own) in zip(axes.get_yticklabels(), lines, strict=True):
        if own is None:
            label.set(fontweight="bold", color=INK)
    axes.set_xticks(np.arange(columns) + 0.5, [*QUANTITIES] * len(DTYPES), rotation=90)
    axes.xaxis.tick_top()
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    for number, dtype in enumerate(DTYPES):
        axes.text((number + 0.5) * len(QUANTITIES), height + 0.2, dtype, ha="center", va="top", fontsize=8)
    return mesh
