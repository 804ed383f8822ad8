"""The tasks: a file for each, with its data and the recipe that goes with it."""

import importlib

from benchmarks.errors import UsageError
from benchmarks.tasks.task import Data, Recipe, Task

__all__ = ["NAMES", "Data", "Recipe", "Task", "get"]

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
