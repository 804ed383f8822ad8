"""The tasks: one file for each, with its data and the recipe that goes with it."""

import importlib
from pathlib import Path

from benchmarks.errors import UsageError
from benchmarks.tasks.task import Data, Recipe, Task

__all__ = ["NAMES", "Data", "Recipe", "Task", "get", "mnist_or_digits"]

NAMES = ("moons", "digits", "mnist", "fashion-mnist")


def get(name: str) -> Task:
    """Return a task by its name on the command line; its data are not loaded yet.

    Raises
    ------
    UsageError
        If there is no task of this name.
    """
    if name not in NAMES:
        raise UsageError(f"unknown task {name!r}; choose from {', '.join(NAMES)}")
    return importlib.import_module(f"benchmarks.tasks.{name.replace('-', '_')}").TASK


def mnist_or_digits(data_dir: Path) -> tuple[str, Data]:
    """Read MNIST if its files are there, otherwise the bundled digits; return the title and the data."""
    from benchmarks.tasks.idx import FILES

    there = all((data_dir / "MNIST" / "raw" / name).is_file() for name in FILES)
    task = get("mnist" if there else "digits")
    return task.title, task.load(data_dir)
