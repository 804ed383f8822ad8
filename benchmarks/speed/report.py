"""What a benchmark shows: tables on the screen, and the bar chart, roofline and curve that go with them."""

from pathlib import Path

import matplotlib
import numpy as np
from rich.console import Console

from benchmarks.figures import style
from benchmarks.tables import new_table

TITLES = {
    "layers": "Each layer, forward and backward",
    "steps": "A training step: forward, loss, backward, Adam",
    "train": "Training on MNIST, end to end",
    "memory": "Peak memory of training on MNIST",
}


def show(console: Console, name: str, rows: list[dict], rates: dict[str, dict[str, float]]) -> None:
    """Print a benchmark's table."""
    if name in ("train", "memory"):
        columns = ("work", "contender", "seconds", "scratch / other", "test accuracy", "peak memory, MB")
        table = new_table(*columns, words=2)
        for row in rows:
            memory = f"{row['peak_bytes'] / 1e6:.0f}"
            numbers = (f"{row['seconds']:.1f}", f"{row['ratio']:.2f}", f"{row['accuracy']:.4f}", memory)
            table.add_row(row["work"], row["contender"], *numbers)
        console.print(table)
        return
    per, factor = _unit(name)
    columns = ["work", "dtype", f"scratch, {per}", "quartiles", "against", per, "scratch / other"]
    if name == "layers":
        columns.append("of the matrix-product rate")
    table = new_table(*columns, words=2)
    table.columns[columns.index("against")].no_wrap = True  # a name is one word, and would be cut off
    for row in rows:
        low, high = (f"{factor * value:.3g}" for value in row["scratch_quartiles"])
        cells = [row["work"], row["dtype"], f"{factor * row['scratch_seconds']:.3g}", f"{low} to {high}"]
        cells += [row["contender"], f"{factor * row['seconds']:.3g}", _ratio(row)]
        if name == "layers":
            share = row["operations"] / row["scratch_seconds"] / rates[row["dtype"]]["operations"]
            cells.append(f"{share:.0%}" if row["operations"] else "-")
        table.add_row(*cells)
    console.print(table)
    if name == "layers":
        for dtype, rate in rates.items():
            together = ", ".join(
                f"{_all_together(rows, dtype, contender):.2f} of {contender}'s time"
                for contender in dict.fromkeys(row["contender"] for row in rows)
            )
            console.print(
                f"{dtype}: all layers together {together}; matrix product "
                f"{rate['operations'] / 1e9:.0f} GFLOP/s, copying {rate['bytes'] / 1e9:.1f} GB/s"
            )


def _all_together(rows: list[dict], dtype: str, contender: str) -> float:
    chosen = [row for row in rows if (row["dtype"], row["contender"]) == (dtype, contender)]
    return sum(row["scratch_seconds"] for row in chosen) / sum(row["seconds"] for row in chosen)


def _ratio(row: dict) -> str:
    ratios = row["ratios"]
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{row['ratio']:.2f}{spread}"


def show_threads(console: Console, name: str, rows: list[dict]) -> None:
    """Print how each engine's time falls with the number of threads; rows are a benchmark's, run with each number."""
    per, factor = _unit(name)
    numbers = list(dict.fromkeys(row["threads"] for row in rows))
    heads = [f"{number} thread{'s' * (number > 1)}, {per}" for number in numbers]
    table = new_table("work", "dtype", "engine", *heads, words=3)
    found: dict[tuple, dict[int, dict]] = {}
    for row in rows:
        key = row["work"], tuple(row.get("shape", ())), row["dtype"], row["contender"]
        found.setdefault(key, {})[row["threads"]] = row
    last = None
    for (work, shape, dtype, contender), by_number in found.items():
        columns = [by_number[number] for number in numbers]
        if (work, shape, dtype) != last:
            table.add_row(work, dtype, "scratch", *_speedups([factor * row["scratch_seconds"] for row in columns]))
            last = work, shape, dtype
        if contender != "scratch":
            table.add_row(work, dtype, contender, *_speedups([factor * row["seconds"] for row in columns]))
            table.add_row(work, dtype, f"scratch / {contender}", *map(_ratio, columns))
    console.print(table)
    console.print(f"In brackets: how many times as fast as with {numbers[0]}.", soft_wrap=True)


def _speedups(times: list[float]) -> list[str]:
    return [f"{times[0]:.3g}", *(f"{each:.3g} ({times[0] / each:.2f})" for each in times[1:])]


def _unit(name: str) -> tuple[str, float]:
    """Return the unit in which a benchmark's times are shown, and how many of it make a second."""
    return {"scaling": ("µs an image", 1e6), "train": ("s", 1.0), "memory": ("s", 1.0)}.get(name, ("ms", 1e3))


def picture_names(name: str) -> tuple[str, ...]:
    """Return the names of a benchmark's figures."""
    return (f"{name}.png", "roofline.png") if name == "layers" else (f"{name}.png",)


def draw(folder: Path, name: str, rows: list[dict], rates: dict[str, dict[str, float]]) -> list[Path]:
    """Draw a benchmark's figures, and return the files."""
    with matplotlib.rc_context(style.RC):
        if name == "scaling":
            return [style.save_new(_curve(rows), folder / "scaling.png")]
        files = [style.save_new(_bars(name, rows), folder / f"{name}.png")]
        if name == "layers":
            files.append(style.save_new(_roofline(rows, rates["float32"]), folder / "roofline.png"))
        return files


def _bars(name: str, rows: list[dict]) -> object:
    shown = [row for row in rows if row["contender"] != "scratch"]
    figure = style.new_figure(9.5, 1.2 + 0.27 * len(shown))
    axes = figure.subplots()
    labels = [f"{row['work']}  ({row['dtype']}, {row['contender']})" for row in shown]
    ratios = [row["ratio"] for row in shown]
    places = np.arange(len(shown))[::-1]
    colours = [style.COLOURS["scratch"] if ratio <= 1 else style.COLOURS["torch"] for ratio in ratios]
    axes.barh(places, ratios, color=colours, height=0.7)
    axes.axvline(1, color=style.INK, linewidth=0.9)
    paper = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 0.8}  # where a label lies across the line
    for place, ratio in zip(places, ratios, strict=True):
        offset = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{ratio:.2f}", (ratio, place), **offset, fontsize=8, bbox=paper)
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlim(0, 1.12 * max(*ratios, 1.0))
    axes.set_ylim(-0.7, len(shown) - 0.3)
    what = "memory" if name == "memory" else "time"
    axes.set_xlabel(f"scratch's {what} / the other's (left of the line: scratch needs less)")
    axes.set_title(TITLES[name])
    return figure


def _roofline(rows: list[dict], rate: dict[str, float]) -> object:
    figure = style.new_figure(9.5, 5)
    axes = figure.subplots()
    products = [row for row in rows if row["dtype"] == "float32" and row["operations"] and row["contender"] == "torch"]
    labels = [f"{row['work']}, {row['network']}" for row in products]
    places = np.arange(len(products))
    for offset, key, engine in ((-0.2, "scratch_seconds", "scratch"), (0.2, "seconds", "torch")):
        reached = [row["operations"] / row[key] / 1e9 for row in products]
        axes.bar(places + offset, reached, 0.38, color=style.COLOURS[engine], label=style.LABELS[engine])
    limit = rate["operations"] / 1e9
    axes.axhline(limit, color=style.INK, linewidth=1)
    axes.annotate(
        f"NumPy's matrix product on this machine: {limit:.0f} GFLOP/s",
        (0.01, limit),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        fontsize=9,
    )
    axes.set_xticks(places, labels, rotation=25, ha="right", fontsize=8)
    axes.set_ylabel("GFLOP/s of the layer's three matrix products")
    axes.set_ylim(0, 1.3 * limit)
    axes.set_title("How near each layer comes to the machine's limit, forward and backward, float32")
    axes.legend(loc="upper right", ncols=2)
    return figure


def _curve(rows: list[dict]) -> object:
    figure = style.new_figure(8, 4.4)
    axes = figure.subplots()
    batches = sorted({row["batch"] for row in rows})
    for contender in sorted({row["contender"] for row in rows}):
        theirs = [row["seconds"] * 1e6 for row in rows if row["contender"] == contender]
        axes.plot(batches, theirs, "o-", label=contender, color=style.COLOURS.get(contender))
    ours = {row["batch"]: row["scratch_seconds"] * 1e6 for row in rows}
    axes.plot(batches, [ours[batch] for batch in batches], "o-", label="scratch", color=style.COLOURS["scratch"])
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [str(batch) for batch in batches])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("batch size")
    axes.set_ylabel("µs an image")
    axes.set_title("SmallCNN's training step, per image")
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.legend()
    return figure
