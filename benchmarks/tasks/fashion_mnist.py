"""Fashion-MNIST: 70,000 pictures of clothes, in MNIST's format, but harder."""

from pathlib import Path

from benchmarks.tasks.idx import load_idx
from benchmarks.tasks.task import Data, Recipe, Task, small_cnn

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")


def load(data_dir: Path) -> Data:
    """Read the 60,000 training and 10,000 test images."""
    return load_idx(data_dir, "FashionMNIST", CLASSES)


TASK = Task(
    name="fashion-mnist",
    title="Fashion-MNIST",
    recipe=Recipe(epochs=5),
    accuracy=0.905,
    load=load,
    build=small_cnn,
    images=True,
)
