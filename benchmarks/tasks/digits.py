"""Digits: the 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn, so that nothing is downloaded.

They are brought to the 28 x 28 pixels that the network takes by bilinear interpolation to 24 x 24 inside a border of 2,
which is how MNIST frames its digits. Interpolating along an axis is a matrix R (24, 8), whose rows hold the shares of
the two pixels nearest to each new one; an image is R X R^T.
"""

from pathlib import Path

import numpy as np

from benchmarks.tasks.task import Data, Recipe, Task, small_cnn


def interpolation(old: int, new: int) -> np.ndarray:
    """Return the matrix (new, old) that interpolates linearly between pixel centres; ends are held constant.

    >>> interpolation(2, 4)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)  # of each new centre, in old pixels
    left = np.minimum(place.astype(int), old - 2)
    matrix = np.zeros((new, old))
    matrix[np.arange(new), left] = 1 - (place - left)
    matrix[np.arange(new), left + 1] = place - left
    return matrix


def load(data_dir: Path) -> Data:
    """Enlarge the bundled images, and hold a fifth of each class back for the test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bundled = load_digits()
    enlarge = interpolation(8, 24)
    x = np.pad(enlarge @ (bundled.images / 16) @ enlarge.T, ((0, 0), (2, 2), (2, 2)))
    x = x[:, None].astype(np.float32)
    y = bundled.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    return Data(x_train, y_train, x_test, y_test, tuple("0123456789"))


TASK = Task(
    name="digits",
    title="Digits",
    recipe=Recipe(epochs=30),
    accuracy=0.98,
    load=load,
    build=small_cnn,
    images=True,
)
