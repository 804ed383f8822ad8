"""Average and max pooling compared, and how many parameters sharing saves: part of the lesson on convolution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import Engine

POOLINGS = ("MaxPool2d", "AvgPool2d")
WINDOW = np.array([[[[1.0, 3.0], [2.0, 2.0]]]])
SHARED = {"conv1": (1, 32, 28), "conv2": (32, 64, 14)}


class Pooled(NamedTuple):
    """What a pooling returns for WINDOW, the gradient it sends back, and how much its maps change with the input."""

    value: float
    grad: np.ndarray
    change: np.ndarray


def moved(images: np.ndarray, pixels: int) -> np.ndarray:
    """Move images to the right; zeros come in, and what moves past the edge is lost."""
    width = images.shape[-1]
    return np.pad(images, [(0, 0)] * (images.ndim - 1) + [(pixels, 0)])[..., :width]


def relative(change: np.ndarray, of: np.ndarray) -> float:
    """Return the size of a change relative to ``of``: the mean over the images of the ratio of the norms."""
    change, of = (array.reshape(len(array), -1) for array in (change, of))
    return float((np.linalg.norm(change, axis=1) / np.linalg.norm(of, axis=1)).mean())


def pool(engine: Engine, name: str, model: object, x: np.ndarray, shifts: tuple[int, ...]) -> Pooled:
    """Pool one window, and a trained network's first maps before and after the images move."""
    layer = getattr(engine.nn, name)(2)
    value, grad = engine.forward_backward(layer, WINDOW, np.ones((1, 1, 1, 1)))
    first = model.feat[:2]
    still = engine.predict(layer, engine.predict(first, x))
    after = [engine.predict(layer, engine.predict(first, moved(x, shift))) for shift in shifts]
    change = np.array([relative(one - still, still) for one in after])
    return Pooled(float(value.item()), grad[0, 0], change)


def parameters(engine: Engine) -> list[tuple[str, int, int, int]]:
    """Return each convolution's parameter count, and that of local and dense layers with the same input and output.

    A local layer has the convolution's connections, with a separate weight for each; a dense one connects everything.
    """
    rows = []
    for name, (inputs, outputs, side) in SHARED.items():
        layer = engine.nn.Conv2d(inputs, outputs, 3, padding=1, dtype=engine.dtype)
        own = sum(engine.numpy(parameter.data).size for parameter in layer.parameters())
        dense = (inputs * side**2 + 1) * outputs * side**2
        rows.append((name, own, own * side**2, dense))
    return rows
