"""How far apart the two engines are, as a heat map: a row for each layer, a column for each quantity and dtype."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from benchmarks.figures.style import INK, new_figure
from parity_tests.harness.sweep import DTYPES, QUANTITIES, Row

LOWEST = -4
COLOURS = LinearSegmentedColormap.from_list("share", ["#e9f3ee", "#8fc7a9", "#2a7f62", "#14463a"])


def parity(rows: list[Row]) -> Figure:
    """Draw the worst error as a share of its rounding budget, on a logarithmic scale; above 1 in red.

    Parameters
    ----------
    rows : list of Row
        In the order in which the names are shown, all of one kind together.
    """
    kinds = {row.name: row.kind for row in rows}
    shares = np.full((len(kinds), len(DTYPES) * len(QUANTITIES)), np.nan)
    for row in rows:
        for quantity, worst in row.worst.items():
            column = DTYPES.index(row.dtype) * len(QUANTITIES) + QUANTITIES.index(quantity)
            shares[list(kinds).index(row.name), column] = worst.share

    figure = new_figure(7.6, 0.235 * len(kinds) + 1.9)
    axes = figure.subplots()
    colours = COLOURS.with_extremes(over="#c62828", bad="white")
    with np.errstate(divide="ignore"):
        shown = np.clip(np.log10(shares), LOWEST, 1)
    scale = Normalize(LOWEST, 0)
    mesh = axes.pcolormesh(shown, cmap=colours, norm=scale, edgecolors="white", linewidth=1.5)
    for (y, x), share in np.ndenumerate(shares):
        text = "-" if np.isnan(share) else "0" if share == 0 else f"{share:.2g}" if share >= 1e-3 else f"{share:.0e}"
        dark = np.isfinite(shown[y, x]) and scale(shown[y, x]) > 0.5
        axes.text(x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=7.5, color="white" if dark else INK)

    names = list(kinds)
    for y in range(1, len(names)):
        if kinds[names[y]] != kinds[names[y - 1]]:
            axes.axhline(y, color=INK, linewidth=1)
    axes.axvline(len(QUANTITIES), color=INK, linewidth=1)
    axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=8.5)
    axes.set_xticks(
        np.arange(shares.shape[1]) + 0.5, [q.replace(" ", "\n") for _ in DTYPES for q in QUANTITIES], fontsize=8.5
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    for number, dtype in enumerate(DTYPES):
        place = ((number + 0.5) / len(DTYPES), 1)
        axes.annotate(
            dtype, place, xycoords="axes fraction", xytext=(0, 32), textcoords="offset points", ha="center", fontsize=10
        )
    cases = sum(row.cases for row in rows)
    figure.suptitle(f"scratch against PyTorch: worst error / rounding budget ({cases:,} cases)", fontsize=11)
    bar = figure.colorbar(mesh, ax=axes, orientation="horizontal", extend="max", aspect=45, pad=0.01)
    ticks = np.arange(LOWEST, 1)
    bar.set_ticks(
        ticks, labels=[f"≤ $10^{{{LOWEST}}}$", *(f"$10^{{{tick}}}$" for tick in ticks[1:-1]), "1: the budget"]
    )
    bar.ax.tick_params(labelsize=8.5)
    bar.outline.set_visible(False)
    return figure
