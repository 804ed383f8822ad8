"""Two moons: points in the plane, on two interlocking half circles; a network must bend the boundary."""

from pathlib import Path

import numpy as np

from benchmarks.engines import Engine
from benchmarks.tasks.task import Data, Recipe, Task


def load(data_dir: Path) -> Data:
    """Draw 2,000 points, the same each time, and hold a quarter of each class back for the test."""
    from sklearn.datasets import make_moons
    from sklearn.model_selection import train_test_split

    x, y = make_moons(2000, noise=0.25, random_state=0)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=42, stratify=y)
    return Data(x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64), ("upper moon", "lower moon"))


def build(engine: Engine, dropout: float) -> object:
    """Build the MLP with batch norm."""
    return engine.models.MLP(pdrop=dropout, use_bn=True, dtype=engine.dtype)


TASK = Task(
    name="moons",
    title="Two moons",
    recipe=Recipe(epochs=40, batch_size=64, lr=3e-3, weight_decay=1e-4, dropout=0.1),
    accuracy=0.935,
    load=load,
    build=build,
    images=False,
    smallest_batch=2,
)
