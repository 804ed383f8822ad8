"""The figure of the lesson on the graph."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from benchmarks.figures.style import INK, new_figure
from benchmarks.lessons.support.drawing import BLUE, GREY, ORANGE, RED, WIDTH, engine_key, line, ruled
from benchmarks.lessons.support.expression_graph import CONSTANT, GIVEN, SIGNS, Entry
from benchmarks.lessons.support.kept_for_backward import LAYERS

# Where the nodes stand, and how large they are.
SIDE, HEIGHT = 0.86, 0.66
PLACES = {
    **{"x": (0, 0), "w": (0, 1.6), "b": (1.25, 1.6), "p": (1.25, 0), "a": (2.5, 0), "h": (3.5, 1.6)},
    **{"y": (4.5, 0), "t": (5.75, 1.6), "e": (5.75, 0), "L": (7, 0)},
}


def draw_graph(axes: Axes, entries: dict[str, Entry]) -> None:
    """Draw the values as boxes, the edges as arrows, and on each edge what backward sends."""
    entries = entries | {CONSTANT: Entry("constant", GIVEN[CONSTANT], np.nan, {})}
    edges = [(operand, name, f"{sent:g}") for name, one in entries.items() for operand, sent in one.sent.items()]
    for operand, name, sent in [*edges, (CONSTANT, "e", "")]:
        (x, y), (to_x, to_y) = PLACES[operand], PLACES[name]
        level = y == to_y
        # From one box's rim to the other's.
        begin, end = (
            ((x + SIDE / 2, y), (to_x - SIDE / 2, y))
            if level
            else ((x, y + np.sign(to_y - y) * HEIGHT / 2), (to_x, to_y - np.sign(to_y - y) * HEIGHT / 2))
        )
        axes.annotate(
            "", end, begin, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2, "shrinkA": 0, "shrinkB": 1}
        )
        middle = (np.array(begin) + end) / 2
        aside = (0, 8) if level else (13, 0)
        axes.annotate(sent, middle, aside, textcoords="offset points", color=RED, ha="center", va="center", fontsize=10)
    for name, (x, y) in PLACES.items():
        entry, given = entries[name], name not in SIGNS
        look = {"facecolor": "#f0f0f0" if given else "white", "edgecolor": INK, "linewidth": 0.9}
        corner = (x - SIDE / 2, y - HEIGHT / 2)
        axes.add_patch(FancyBboxPatch(corner, SIDE, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", **look))
        axes.text(x, y + 0.15, name if given else f"{name} = {SIGNS[name]}", ha="center", va="center", fontsize=10)
        constant = name == CONSTANT
        axes.text(x - (0 if constant else 0.2), y - 0.16, f"{entry.value:g}", ha="center", va="center", color=BLUE)
        if not constant:
            axes.text(x + 0.2, y - 0.16, f"{entry.grad:g}", ha="center", va="center", color=RED, fontweight="bold")
    axes.set(xlim=(-0.5, 7.5), ylim=(-0.4, 2.0))
    axes.set_axis_off()
    title = (
        "Forward computes the values (blue). Backward sends a share along each edge (red); shares that meet are added."
    )
    axes.set_title(title, fontsize=10)


def draw(graphs: dict[str, dict[str, Entry]], walked: dict[int, tuple[int, int]], sizes: dict[str, tuple]) -> Figure:
    """Draw the graph, the cost of the wrong order, and the memory that waits for backward.

    ``walked`` has the edges walked in the right order and in the wrong one, by the number of skip connections.
    """
    figure = new_figure(WIDTH, 5.6)
    figure.suptitle(
        "What autograd writes down, and how it reads it", x=0.01, ha="left", fontsize=12.5, fontweight="bold"
    )
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    draw_graph(upper.subplots(), next(iter(graphs.values())))
    order, memory = lower.subplots(1, 2)
    ruled(order)
    ruled(memory)
    blocks, counts = list(walked), np.array(list(walked.values()))
    order.plot(blocks, counts[:, 1], color=ORANGE, marker="o", ms=3.5)
    order.plot(blocks, counts[:, 0], color=BLUE, marker="o", ms=3.5)
    order.annotate(
        "path by path", (blocks[-6], counts[-6, 1]), (-8, 0), textcoords="offset points", color=ORANGE, ha="right"
    )
    order.annotate(
        "each node when it is complete",
        (blocks[-1], counts[-1, 0]),
        (0, 7),
        textcoords="offset points",
        color=BLUE,
        ha="right",
    )
    order.set(title="Edges walked in backward", xlabel="skip connections in a row", yscale="log")

    steps = np.arange(1, 4 * LAYERS + 1)
    line(memory, steps, {name: np.array(size[0]) / 1024 for name, size in sizes.items()}, RED)
    line(memory, steps[: 2 * LAYERS], {name: np.array(size[1]) / 1024 for name, size in sizes.items()}, GREY)
    top = max(max(size[0]) for size in sizes.values()) / 1024
    memory.axvline(2 * LAYERS + 0.5, color=GREY, lw=0.8)
    memory.annotate("forward", (2 * LAYERS, 1.12 * top), ha="right", color=INK, fontsize=9)
    memory.annotate("backward", (2 * LAYERS + 1, 1.12 * top), color=INK, fontsize=9)
    memory.annotate("under no_grad", (1, 0), (0, 5), textcoords="offset points", color=GREY)
    memory.set(title="Kept for backward, KiB", xlabel="layers done", ylim=(-0.05 * top, 1.25 * top))
    memory.set_xticks(range(0, 4 * LAYERS + 1, 4))
    engine_key(figure, list(graphs))
    return figure
