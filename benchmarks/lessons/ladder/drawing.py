"""The figures of the lesson on speed: the ladder, the roof above it, the size of a block, and what did not pay."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from benchmarks.figures.style import COLOURS as ENGINE_COLOURS
from benchmarks.figures.style import INK
from benchmarks.lessons.ladder.work import Roof, Work
from benchmarks.lessons.support.drawing import BROWN, GREEN, GREY, PURPLE, RED, sheet

TEAL = "#1ba3a8"
COLOURS = {"loops": BROWN, "one product": RED, "blocks": PURPLE, "threads": GREEN, "Winograd": TEAL} | ENGINE_COLOURS
FEWER = 36 / 16  # how many times fewer multiplications Winograd's convolution has
MARKERS = ("o", "s")
SMALL = 8.5


def told(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    return f"{seconds:,.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def as_ratio(ratio: float) -> str:
    """Return a ratio with as many digits as are worth reading."""
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.2f}"


def draw_ladder(works: dict[Work, dict[str, float]], gains: dict[str, float], roof: Roof) -> Figure:
    """Draw the rungs by their speed, and below the roof.

    Parameters
    ----------
    works : dict
        For each convolution, the seconds of the rungs and of the engines, by name.
    gains : dict
        How many times as fast each rung is as the one below it, for the first convolution.
    roof : Roof
    """
    figure, ((left, right),) = sheet(1, 2, 4.6, "A convolution in five rungs", gridspec_kw={"width_ratios": [1.25, 1]})
    _draw_rungs(left, *next(iter(works.items())), gains, roof)
    _draw_roof(right, works, roof)
    return figure


def _draw_rungs(axes: Axes, work: Work, seconds: dict[str, float], gains: dict[str, float], roof: Roof) -> None:
    names = [*seconds]
    speeds = np.array([work.operations / seconds[name] / 1e9 for name in names])
    # The engines' own layers stand apart, above the last rung.
    places = np.arange(len(names)) + np.array([0.5 * (name in ENGINE_COLOURS) for name in names])
    axes.barh(places, speeds, color=[COLOURS[name] for name in names], height=0.64)
    for place, name, speed in zip(places, names, speeds, strict=True):
        gain = f", {as_ratio(gains[name])} x" if name in gains else ""
        _label(axes, f"{told(seconds[name])}{gain}", speed, place)
    limits = {
        "all\nmultiplications": roof.operations / 1e9,
        "Winograd's\nmultiplications": FEWER * roof.operations / 1e9,
    }
    for (words, limit), style in zip(limits.items(), ("-", ":"), strict=True):
        axes.axvline(limit, color=INK, lw=1.1, ls=style)
        axes.annotate(
            words,
            (limit, places[-1] + 1.1),
            xytext=(-4, 0),
            textcoords="offset points",
            fontsize=8,
            ha="right",
            va="center",
        )
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_xlim(0, max(1.04 * max(limits.values()), 1.3 * speeds.max()))
    axes.set_ylim(-0.6, places[-1] + 1.6)
    axes.set_title(f"Speed, {work.name}; lines: rooflines")
    axes.set_xlabel("GFLOP/s, counting all multiplications (x: speed over the rung below)")


def _draw_roof(axes: Axes, works: dict[Work, dict[str, float]], roof: Roof) -> None:
    ridge = roof.operations / roof.bytes
    x = np.array([ridge / 12, ridge, 40 * ridge])
    axes.plot(x, np.minimum(roof.operations, x * roof.bytes) / 1e9, color=INK, lw=1.4)
    axes.plot(x[1:] * np.array([FEWER, 1]), [FEWER * roof.operations / 1e9] * 2, color=INK, lw=1, ls=":")
    for height, words in ((1, "matrix product"), (FEWER, "Winograd's")):
        rate = height * roof.operations / 1e9
        place = {"xytext": (0, 3), "textcoords": "offset points", "ha": "right", "fontsize": 8}
        axes.annotate(f"{words}: {rate:.0f} GFLOP/s", (x[2], rate), **place)
    place = {"xytext": (16, -4), "textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"copying:\n{roof.bytes / 1e9:.1f} GB/s", (x[0], x[0] * roof.bytes / 1e9), **place)
    shapes = []
    for (work, seconds), marker in zip(works.items(), MARKERS, strict=False):
        shapes.append(Line2D([], [], marker=marker, ls="", color=INK, label=work.name))
        for name, taken in seconds.items():
            if name != "loops":
                moved = work.bytes_of_one_product if name == "one product" else work.least_bytes
                face = "none" if name in ENGINE_COLOURS else COLOURS[name]
                look = {"ms": 7, "color": COLOURS[name], "mfc": face, "mew": 1.6}
                axes.plot(work.operations / moved, work.operations / taken / 1e9, marker, **look)
    axes.set(xscale="log", yscale="log", title="Below the roof (hollow: the engines' layers)")
    axes.title.set_fontsize(10)
    axes.set_ylim(top=6 * roof.operations / 1e9)
    axes.legend(handles=shapes, loc="upper left", fontsize=8, handletextpad=0.2, borderpad=0)
    axes.set(xlabel="operations for each byte from or to memory", ylabel="GFLOP/s")


def draw_choices(sizes: dict[int, float], engine: tuple[str, float], tried: dict[str, float]) -> Figure:
    """Draw the fourth rung's time against the size of its blocks, and what did not pay.

    Parameters
    ----------
    sizes : dict
        Seconds, by the number of images in a block.
    engine : (str, float)
        An engine, and the seconds of its own layer.
    tried : dict
        The time of what was tried, as a multiple of that of the rung beside it.
    """
    figure, ((left, right),) = sheet(
        1, 2, 3.6, "How large a block, and what did not pay", gridspec_kw={"width_ratios": [1, 1.2]}
    )
    counts = np.array([*sizes])
    left.plot(counts, 1e3 * np.array([*sizes.values()]), "o-", color=GREEN, label="threads, the fourth rung")
    left.axhline(1e3 * engine[1], color=COLOURS[engine[0]], lw=1.4, ls="--", label=f"{engine[0]}'s layer")
    left.set_xscale("log", base=2)
    left.set_xticks(counts, [str(count) for count in counts])
    left.set_ylim(bottom=0)
    left.set(title="The size of a block", xlabel="images in a block", ylabel="ms for the batch")
    left.legend(loc="lower right", fontsize=SMALL)

    names = [*tried][::-1]
    places, ratios = np.arange(len(names)), np.array([tried[name] for name in names])
    right.barh(places, ratios - 1, left=1, color=GREY, height=0.62)
    for place, ratio in zip(places, ratios, strict=True):
        _label(right, as_ratio(ratio), max(ratio, 1), place)
    right.axvline(1, color=INK, lw=1)
    right.set_yticks(places, names)
    right.tick_params(axis="y", length=0)
    right.grid(False, axis="y")
    right.set_xscale("log")
    right.set_xlim(min(0.5, 0.8 * ratios.min()), 4 * max(ratios.max(), 1))
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.set(title="What did not pay", xlabel="time, as a multiple of the rung it was meant to beat")
    return figure


def _label(axes: Axes, words: str, x: float, y: float) -> None:
    # On a white background, so that it can be read where it lies across a line.
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.annotate(words, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=SMALL, bbox=paper)
