"""What all figures have in common. Figures are made without pyplot, which would keep them all alive."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks import files

COLOURS = {"scratch": "#1765ad", "plain": "#2a7f62", "torch": "#e8622c"}
LABELS = {"scratch": "scratch (NumPy)", "plain": "scratch, plain (NumPy)", "torch": "torch (autograd)"}
INK = "#222222"

RC = {
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "lines.scale_dashes": False,
    "lines.dashed_pattern": (6, 3),
    "savefig.dpi": 150,
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def as_png(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save_new(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all, and never over another file."""
    files.write_new(path, as_png(figure))
    return path
