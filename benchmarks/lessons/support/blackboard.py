"""What a lesson writes on: text and tables on standard output, figures in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import engines
from benchmarks.engines import Engine
from benchmarks.errors import Failure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Blackboard:
    """Where a lesson finds its engines, and leaves what it shows.

    Parameters
    ----------
    engine_names : sequence of str
        "scratch", "torch", or both; a lesson computes the same in each.
    seed : int
        What the lesson hands to ``manual_seed``; where it trains several times, the first of its seeds.
    out : Path
        The folder of the figures; made when the first one is saved.
    data_dir : Path
        The folder of the data sets.
    """

    def __init__(self, engine_names: Sequence[str], seed: int, out: Path, data_dir: Path) -> None:
        from benchmarks.commands.tables import console

        self.engine_names, self.seed, self.out, self.data_dir = tuple(engine_names), seed, out, data_dir
        self._console = console()

    def engines(self, dtype: str = "float32") -> list[Engine]:
        """Return the engines that were asked for, computing in ``dtype``."""
        return [engines.get(name, dtype) for name in self.engine_names]

    def write(self, text: str) -> None:
        """Print a paragraph, after an empty line."""
        self._console.print(f"\n{text}", markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
        """Print a table: the first column names the row, the others hold values, printed as ``str`` gives them."""
        from rich import box
        from rich.table import Table

        look = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD, "padding": (0, 1)}
        table = Table(title=f"\n{title}", pad_edge=False, **look)
        for index, column in enumerate(columns):
            table.add_column(str(column), justify="right" if index else "left")
        for row in rows:
            table.add_row(*(str(value) for value in row))
        self._console.print(table)

    def differences(self, quantities: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Print how far the two engines are apart; nothing where only one of them ran.

        Parameters
        ----------
        quantities : mapping of str to sequence of array_like
            Each quantity's values, in the order of the engines.
        """
        if len(self.engine_names) < 2:
            return
        columns = ("scratch against torch", "numbers compared", "largest of them", "largest difference")
        rows = []
        for name, (one, other) in quantities.items():
            one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
            with np.errstate(invalid="ignore"):
                apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.abs(one - other))
            rows.append((name, one.size, f"{np.nanmax(np.abs(one)):.3g}", f"{apart.max():.1e}"))
        self.table("How far the engines are apart", columns, rows)

    def figure(self, name: str, figure: Figure) -> Path:
        """Save a figure as ``NAME.png``, whole or not at all; one that is there already is replaced.

        Raises
        ------
        Failure
            If the folder cannot be made or written to.
        """
        from benchmarks.figures import style

        path = self.out / f"{name}.png"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            style.save(figure, path)
        except OSError as error:
            raise Failure(f"cannot write {path}: {error.strerror}; choose another --out") from None
        self.write(f"Figure: {path}")
        return path
