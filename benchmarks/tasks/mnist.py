"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

from pathlib import Path

from benchmarks.tasks.idx import load_idx
from benchmarks.tasks.task import Data, Recipe, Task, small_cnn


def load(data_dir: Path) -> Data:
    """Read the 60,000 training and 10,000 test images."""
    return load_idx(data_dir, "MNIST", tuple("0123456789"))


TASK = Task(
    name="mnist",
    title="MNIST",
    recipe=Recipe(epochs=5),
    accuracy=0.989,
    load=load,
    build=small_cnn,
    images=True,
)
