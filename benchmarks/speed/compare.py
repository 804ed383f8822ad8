"""Results of several machines in one table of ratios, which does not rank differences that may be chance."""

import math
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from statistics import median
from string import ascii_uppercase

from rich.console import Console
from rich.table import Table

from benchmarks.errors import Failure, shown
from benchmarks.speed import machine, results
from benchmarks.tables import new_table

LEGEND = (
    "scratch's time / the other's: the median of the processes, and in brackets the smallest and the largest. "
    "A < B: all of A's ratios are smaller than all of B's. A ~ B: they overlap, and are not ranked. "
    "One process has no range, and no rank. A(4): A with 4 threads."
)


def show(console: Console, contents: list[tuple[str, dict]]) -> None:
    """Print which machines are compared, and a table with a column for each of them and each number of threads.

    Parameters
    ----------
    console : rich.console.Console
    contents : list of (name, result)
        The name of each, and what `results.read` returns.

    Raises
    ------
    Failure
        If no two of them have any work in common.
    """
    columns: dict[str, dict[tuple, dict]] = {}
    for letter, (_, content) in zip(_letters(), contents, strict=False):
        numbers = list(dict.fromkeys(row["threads"] for row in content["rows"]))
        for threads in numbers:
            rows = [row for row in content["rows"] if row["threads"] == threads and row["contender"] != "scratch"]
            label = f"{letter}({threads})" if len(numbers) > 1 else letter
            columns[label] = {results.key(row): row for row in rows}
    found = table(columns)
    for letter, (name, content) in zip(_letters(), contents, strict=False):
        console.print(f"{letter}  {name}", soft_wrap=True)
        for line in machine.lines(content["machine"]):
            console.print(f"   {line}", soft_wrap=True)
    if not console.is_terminal:
        console.width = max(console.width, console.measure(found, options=console.options.update(width=1000)).maximum)
    console.print(found)
    console.print(LEGEND, soft_wrap=True)


def table(columns: Mapping[str, Mapping[tuple, dict]]) -> Table:
    """Return a row for each piece of work that is in two columns or more."""
    every = dict.fromkeys(key for column in columns.values() for key in column)
    shared = [key for key in every if sum(key in column for column in columns.values()) > 1]
    if not shared:
        raise Failure("nothing to compare: no two of the results share any work")
    left_out = f" ({len(every) - len(shared)} rows that only one has are left out)" if len(shared) < len(every) else ""
    found = new_table("work", "dtype", "against", *columns, "order", words=3, title=f"ratios{left_out}")
    for column in found.columns[3:]:
        column.no_wrap = True
    for key in shared:
        _, work, shape, contender, dtype = key
        name = f"{work}, {' x '.join(map(str, shape))}" if shape else work
        ratios = {label: measured(column[key]) for label, column in columns.items() if key in column}
        cells = [_cell(ratios.get(label, [])) for label in columns]
        found.add_row(name, dtype, contender, *cells, order(ratios))
    return found


def measured(row: dict) -> list[float]:
    """Return the ratios of a row's processes, without those that could not be measured."""
    return [ratio for ratio in row["ratios"] if ratio is not None]


def order(ratios: Mapping[str, list[float]]) -> str:
    """Return the order of the columns: "A < B ~ C", where B and C overlap and stand in the table's order.

    Examples
    --------
    >>> order({"A": [0.7, 0.8], "B": [0.5, 0.6], "C": [0.55, 0.65]})
    'B ~ C < A'
    >>> order({"A": [0.7], "B": [0.5, 0.6]})
    ''
    """
    ranges = sorted((min(values), max(values), label) for label, values in ratios.items() if len(values) > 1)
    if len(ranges) < 2:
        return ""
    groups, reached = [], -math.inf
    for low, high, label in ranges:
        if low > reached:
            groups.append([])
        groups[-1].append(label)
        reached = max(reached, high)
    return " < ".join(" ~ ".join(label for label in ratios if label in group) for group in groups)


def _cell(ratios: list[float]) -> str:
    if not ratios:
        return "-"
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{median(ratios):.2f}{spread}"


def _letters() -> Iterator[str]:
    yield from ascii_uppercase
    yield from (f"A{number}" for number in count(1))


def read(paths: list[Path], benchmarks: list[str]) -> list[tuple[str, dict]]:
    """Read the results to compare; each must have rows of one of the ``benchmarks``, if there are any."""
    found = []
    for path in paths:
        content = results.read(path)
        others = {row["benchmark"] for row in content["rows"]}
        if benchmarks and not others & set(benchmarks):
            holds = ", ".join(sorted(others)) or "nothing"
            raise Failure(f"--compare {shown(path)} is a result of {holds}, not of {', '.join(benchmarks)}")
        found.append((shown(path), content))
    return found
