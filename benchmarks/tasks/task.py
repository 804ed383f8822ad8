"""What a task is: data, a network, and the recipe that trains the network on the data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.engines import Engine
from benchmarks.errors import Failure


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of training, all of them options on the command line."""

    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.2


@dataclass(frozen=True)
class Data:
    """A training set and a test set.

    Attributes
    ----------
    x_train, x_test : numpy.ndarray
        Inputs, floating point: (rows, 2) for points, (rows, 1, 28, 28) for images.
    y_train, y_test : numpy.ndarray
        Class indices, int64, of shape (rows,).
    classes : tuple of str
        The names of the classes.

    Raises
    ------
    Failure
        If a set is empty, does not have as many targets as inputs, or has a target that is not a class.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, x, y in (("training", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if fault := find_fault(x, y, len(self.classes)):
                raise Failure(f"{name} set: {fault}")


def find_fault(x: np.ndarray, y: np.ndarray, classes: int) -> str | None:
    """Return what is wrong with inputs and targets, if anything is."""
    if len(x) == 0:
        return "expected at least one input, got none"
    if y.shape != (len(x),):
        return f"expected as many targets as inputs, got {len(y)} for {len(x)}"
    if y.min() < 0 or y.max() >= classes:
        return f"expected targets from 0 to {classes - 1}, got {y.min()} to {y.max()}"
    return None


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes
    ----------
    name, title : str
        Its name on the command line, and in figures and tables.
    recipe : Recipe
        The defaults of the command line's options.
    accuracy : float
        The test accuracy that the recipe must reach.
    load : callable
        Maps the folder of the data sets to `Data`.
    build : callable
        Maps an engine and the dropout probability to a new network.
    images : bool
        Whether the inputs are images (else points in the plane); decides which figures a run draws.
    smallest_batch : int
        The fewest rows that a batch may have: 2 if a batch norm takes the variance over them.
    """

    name: str
    title: str
    recipe: Recipe
    accuracy: float
    load: Callable[[Path], Data]
    build: Callable[[Engine, float], object]
    images: bool
    smallest_batch: int = 1


def small_cnn(engine: Engine, dropout: float) -> object:
    """Build the network of the image tasks."""
    return engine.models.SmallCNN(pdrop=dropout, dtype=engine.dtype)
