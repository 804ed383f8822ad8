"""Dropout as an ensemble: the mean over many masks against the scaled network; for the lesson on regularization."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.style import INK
from benchmarks.lessons.support.drawing import BLUE, GREEN, ORANGE, engine_key, line, sheet
from benchmarks.tasks import Data

POINTS, EPOCHS, BATCH, DROPOUT, LR = 64, 150, 64, 0.5, 3e-3
MASKS = (1, 2, 5, 10, 25, 50, 100)


class Ensemble(NamedTuple):
    """Test losses of the mean predictions of MASKS masks, and of the scaled network; distances in probability.

    ``arithmetic`` averages the probabilities, ``geometric`` their logarithms. ``one_layer`` is the largest difference
    between the scaled network and the geometric mean over ALL masks where only the last layer's input is dropped.
    """

    arithmetic: np.ndarray
    geometric: np.ndarray
    scaled: float
    distance: np.ndarray
    one_layer: float


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the log-probabilities."""
    logits = logits.astype(np.float64)
    z = logits - logits.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def network(engine: Engine, data: Data, seed: int) -> object:
    """Train an MLP with dropout after both hidden layers, on few points."""
    engine.manual_seed(seed)
    model, criterion = engine.models.MLP(pdrop=DROPOUT, dtype=engine.dtype), engine.nn.CrossEntropyLoss()
    train_set = (engine.asarray(data.x_train[:POINTS]), engine.asarray(data.y_train[:POINTS]))
    optimizer = engine.optim.Adam(model.parameters(), lr=LR)
    engine.train.fit(model, criterion, optimizer, train_set, train_set, epochs=EPOCHS, batch_size=BATCH)
    return model


def every_mask(engine: Engine, seed: int) -> float:
    """Compare the geometric mean over all masks of six units before the last layer with the network without dropout."""
    rng, units = np.random.default_rng(seed), 6
    h, last = rng.normal(size=(5, units)), engine.nn.Linear(units, 3, dtype=engine.dtype)
    engine.load_state(last, {"weight": rng.normal(size=(3, units)), "bias": rng.normal(size=3)})
    masks = np.array(np.meshgrid(*[[0, 1]] * units)).reshape(units, -1).T / (1 - DROPOUT)
    dropped = np.array([log_softmax(engine.predict(last, h * mask)) for mask in masks])
    geometric = log_softmax(dropped.mean(axis=0))  # of the logarithms, and made probabilities again
    return float(np.abs(np.exp(geometric) - np.exp(log_softmax(engine.predict(last, h)))).max())


def measure(engine: Engine, data: Data, seed: int) -> Ensemble:
    """Draw masks for a trained network, and compare the means of their predictions with the scaled network."""
    model = network(engine, data, seed)
    scaled = log_softmax(engine.predict(model, data.x_test))
    model.train()
    with engine.no_grad(), engine.running():
        drawn = [log_softmax(engine.numpy(model(engine.asarray(data.x_test)))) for _ in range(max(MASKS))]
    logs, rows = np.array(drawn), np.arange(len(data.y_test))

    def loss(log_probabilities: np.ndarray) -> float:
        return float(-log_probabilities[rows, data.y_test].mean())

    arithmetic = [np.log(np.exp(logs[:count]).mean(axis=0)) for count in MASKS]
    geometric = [log_softmax(logs[:count].mean(axis=0)) for count in MASKS]
    distance = [np.abs(np.exp(one) - np.exp(scaled)).mean() for one in geometric]
    means = [np.array([loss(one) for one in mean]) for mean in (arithmetic, geometric)]
    return Ensemble(*means, loss(scaled), np.array(distance), every_mask(engine, seed))


def draw(found: dict[str, Ensemble]) -> Figure:
    """Draw the test loss of the means, and their distance from the scaled network, against the number of masks."""
    figure, ((left, right),) = sheet(1, 2, 3.5, f"Dropout {DROPOUT:g} as an ensemble: one network for each mask")
    masks = np.array(MASKS)
    line(left, masks, {name: one.arithmetic for name, one in found.items()}, BLUE, "mean of the probabilities")
    line(left, masks, {name: one.geometric for name, one in found.items()}, ORANGE, "geometric mean")
    for index, one in enumerate(found.values()):
        left.axhline(one.scaled, color=GREEN, lw=1.5, label="the scaled network" if index == 0 else None)
    left.set(title="Test loss", xlabel="masks averaged", xscale="log")
    left.set_xticks(masks, [str(count) for count in masks])
    left.minorticks_off()
    left.legend(fontsize=9)
    line(right, masks, {name: one.distance for name, one in found.items()}, ORANGE)
    first = next(iter(found.values())).distance
    right.plot(masks, first[0] / np.sqrt(masks), ":", color=INK, lw=1)
    right.annotate(
        "1/sqrt(masks)", (masks[-1], first[0] / masks[-1] ** 0.5), (-4, 6), textcoords="offset points", ha="right"
    )
    right.set(title="Geometric mean - scaled network", xlabel="masks averaged", xscale="log", yscale="log")
    right.set_ylabel("mean difference in probability")
    engine_key(figure, list(found))
    return figure
