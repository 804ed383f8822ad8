"""Digits: the 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn, so that nothing is downloaded.

They are enlarged to the 28 x 28 pixels that the network takes by making each pixel a block of 3 x 3, inside a border of
2, which is about how MNIST frames its digits. Smoother interpolation looks better but learns worse: the edges of the
blocks are what the first convolution can see.
"""

from pathlib import Path

import numpy as np

from benchmarks.tasks.task import Data, Recipe, Task, small_cnn


def load(data_dir: Path) -> Data:
    """Enlarge the bundled images, and hold a fifth of each class back for the test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundled = load_digits()
    x = np.kron(bundled.images / 16, np.ones((1, 3, 3)))
    x = np.pad(x, ((0, 0), (2, 2), (2, 2)))[:, None].astype(np.float32)
    y = bundled.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    return Data(x_train, y_train, x_test, y_test, tuple("0123456789"))


TASK = Task(
    name="digits",
    title="Digits",
    recipe=Recipe(epochs=27),
    accuracy=0.98,
    load=load,
    build=small_cnn,
    images=True,
)
