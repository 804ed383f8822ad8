"""The stages of the SmallCNN, and what a unit of each stage sees: the machinery of the lesson on convolution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import Engine

# The layers of SmallCNN.feat: name, kernel, stride, padding.
FEATURES = (
    ("conv1", 3, 1, 1),
    ("relu1", 1, 1, 0),
    ("pool1", 2, 2, 0),
    ("conv2", 3, 1, 1),
    ("relu2", 1, 1, 0),
    ("pool2", 2, 2, 0),
)
STAGES = (*(name for name, *_ in FEATURES), "hidden", "logits")
HEAD = {"hidden": 2, "logits": 4}


class Field(NamedTuple):
    """What one unit sees: dy/dx for one image, its mean size over many, and its extent: (first, count) of each axis."""

    one: np.ndarray
    mean: np.ndarray
    rows: tuple[int, int]
    columns: tuple[int, int]


def outputs(engine: Engine, model: object, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return every stage's output for the images."""
    results, h = {}, engine.asarray(x)
    with engine.no_grad():
        for (name, *_), layer in zip(FEATURES, model.feat, strict=True):
            h = layer(h)
            results[name] = engine.numpy(h)
        for index, layer in enumerate(model.head):
            h = layer(h)
            results.update({name: engine.numpy(h) for name, place in HEAD.items() if place == index})
    return results


def strides() -> dict[str, int]:
    """Return, for each stage, how many input pixels one step in its maps is."""
    jumps = np.cumprod([stride for _, _, stride, _ in FEATURES])
    return {name: int(jump) for (name, *_), jump in zip(FEATURES, jumps, strict=True)}


def computed_field(stage: str, place: int) -> tuple[int, int]:
    """Return the first pixel that a unit sees along one axis, and how many it sees."""
    first, size, jump = 0, 1, 1
    for name, kernel, stride, padding in FEATURES:
        first, size, jump = first - padding * jump, size + (kernel - 1) * jump, jump * stride
        if name == stage:
            return first + place * jump, size
    raise KeyError(stage)


def receptive_field(engine: Engine, model: object, x: np.ndarray, stage: str) -> Field:
    """Measure what the unit in the middle of a stage's most active map sees."""
    depth = [name for name, *_ in FEATURES].index(stage) + 1
    part = model.feat[:depth].eval()
    maps = outputs(engine, model, x)[stage]
    middle = maps.shape[-1] // 2
    channel = int(np.abs(maps[:, :, middle, middle]).mean(axis=0).argmax())
    one_hot = np.zeros_like(maps)
    one_hot[:, channel, middle, middle] = 1
    gradient = engine.forward_backward(part, x, one_hot)[1][:, 0]
    seen = (gradient != 0).any(axis=0)
    spans = [np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0)]
    reached = [(int(span[0]), int(span[-1] - span[0] + 1)) for span in spans]
    return Field(gradient[np.abs(gradient).sum(axis=(1, 2)).argmax()], np.abs(gradient).mean(axis=0), *reached)
