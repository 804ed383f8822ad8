"""What a lesson writes on: text and tables on standard output, figures in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import engines
from benchmarks.engines import Engine
from benchmarks.errors import Failure, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Blackboard:
    """Where a lesson gets its engines, and puts what it shows.

    Parameters
    ----------
    engine_names : sequence of str
        One of `benchmarks.engines.EVERY`, or "scratch" and "torch"; a lesson computes the same in each.
    seed : int
        The seed for ``manual_seed``; if the lesson trains several times, the first of its seeds.
    out : Path
        The folder for the figures; made when the first one is saved.
    data_dir : Path
        The folder of the data sets.
    """

    def __init__(self, engine_names: Sequence[str], seed: int, out: Path, data_dir: Path) -> None:
        from benchmarks.tables import console

        self.engine_names, self.seed, self.out, self.data_dir = tuple(engine_names), seed, out, data_dir
        self._console = console()

    def engines(self, dtype: str = "float32") -> list[Engine]:
        """Return the engines that were asked for, computing in ``dtype``."""
        return [engines.get(name, dtype) for name in self.engine_names]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Enter the context in which each engine computes; several engines must be able to share it."""
        with contextlib.ExitStack() as stack:
            for engine in self.engines():
                stack.enter_context(engine.running())
            yield

    def write(self, text: str) -> None:
        """Print a paragraph, after an empty line."""
        self._console.print(f"\n{text}", soft_wrap=True)

    def table(self, title: str, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
        """Print a table: the first column names the row, the others hold values, printed as ``str`` gives them."""
        from benchmarks.tables import new_table

        table = new_table(*map(str, columns), words=1, title=f"\n{title}")
        for row in rows:
            table.add_row(*(str(value) for value in row))
        self._console.print(table)

    def differences(self, quantities: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Print how far apart the two engines are; print nothing if only one of them ran.

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
        """Save a figure as ``NAME.png``, whole or not at all, and never over another file.

        Raises
        ------
        Failure
            If the folder cannot be written to, or already holds a file of this name.
        """
        from benchmarks.figures import style

        path = self.out / f"{name}.png"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            style.save_new(figure, path)
        except OSError as error:
            raise Failure(f"cannot write {shown(path)}: {error.strerror}; choose another --out") from None
        self.write(f"Figure: {shown(path)}")
        return path
