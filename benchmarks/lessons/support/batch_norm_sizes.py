"""How the batch size affects batch norm: the measurements and the figure of the lesson on normalization."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.style import INK
from benchmarks.lessons.support.drawing import BLUE, GREEN, GREY, ORANGE, RED, band, engine_key, line, sheet
from benchmarks.tasks import Data

SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
DRAWS = 400
NORMS = {"batch norm": RED, "layer norm": BLUE, "no norm": GREY}
STEPS, LR, SEEDS = 300, 3e-3, 3


class Sizes(NamedTuple):
    """What depends on the batch size: one value for each size in SIZES."""

    mean_noise: np.ndarray
    var_noise: np.ndarray
    passed: np.ndarray
    loss_training_mode: np.ndarray
    loss_evaluation_mode: float
    test_loss: dict[str, np.ndarray]


def mlp(engine: Engine, norm: str) -> object:
    """Build a network of two hidden layers, normalized or not."""
    nn, dtype = engine.nn, engine.dtype
    kinds = {"batch norm": nn.BatchNorm1d, "layer norm": nn.LayerNorm}
    layers = []
    for fan_in in (2, 64):
        layers.append(nn.Linear(fan_in, 64, dtype=dtype))
        if norm in kinds:
            layers.append(kinds[norm](64, dtype=dtype))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(64, 2, dtype=dtype))


def train(engine: Engine, data: Data, norm: str, size: int, seed: int) -> object:
    """Train a network for STEPS batches of ``size`` rows."""
    engine.manual_seed(seed)
    model, criterion = mlp(engine, norm), engine.nn.CrossEntropyLoss()
    optimizer = engine.optim.Adam(model.parameters(), lr=LR)
    for batch in np.random.default_rng(seed).integers(0, len(data.x_train), size=(STEPS, size)):
        engine.loss_backward(model, criterion, data.x_train[batch], data.y_train[batch])
        optimizer.step()
    return model


def test_loss(engine: Engine, model: object, data: Data) -> float:
    """Return the loss on the test set, in evaluation mode."""
    test_set = (engine.asarray(data.x_test), engine.asarray(data.y_test))
    return engine.train.evaluate(model, engine.nn.CrossEntropyLoss(), test_set).loss


def noise(engine: Engine, size: int, seed: int) -> tuple[float, float, float]:
    """Return the spread of a batch's mean and variance over many batches, and the share of the gradient let through.

    The layer's running statistics show what it took from the batch: with momentum 1 they are the batch's own. The share
    is |std grad_x| / |grad_y|, since a layer that divides by std divides its gradient by it, too.
    """
    layer = engine.nn.BatchNorm1d(DRAWS, momentum=1.0, dtype=engine.dtype)
    x, grad_output = np.random.default_rng(seed).normal(size=(2, size, DRAWS))
    _, grad_x = engine.forward_backward(layer, x, grad_output)
    state = engine.state(layer)
    passed = np.linalg.norm(grad_x * x.std(axis=0), axis=0) / np.linalg.norm(grad_output, axis=0)
    return float(state["running_mean"].std()), float(state["running_var"].std()), float(np.median(passed))


def loss_in_training_mode(engine: Engine, model: object, data: Data, size: int, seed: int) -> float:
    """Return the test loss when every batch of ``size`` test rows is normalized by its own statistics."""
    order = np.random.default_rng(seed).integers(0, len(data.x_test), size=(1024 // size, size))
    state, criterion = engine.state(model), engine.nn.CrossEntropyLoss()
    model.train()
    losses = [engine.loss_backward(model, criterion, data.x_test[rows], data.y_test[rows]) for rows in order]
    engine.load_state(model, state)
    return float(np.mean(losses))


def sizes(engine: Engine, data: Data, seed: int) -> Sizes:
    """Measure how the batch size affects the statistics, a trained network, and training."""
    spreads = np.array([noise(engine, size, seed) for size in SIZES])
    model = train(engine, data, "batch norm", 64, seed)
    training_mode = np.array([loss_in_training_mode(engine, model, data, size, seed) for size in SIZES])
    seeds = range(seed, seed + SEEDS)
    test = {
        norm: np.array([[test_loss(engine, train(engine, data, norm, size, s), data) for size in SIZES] for s in seeds])
        for norm in NORMS
    }
    return Sizes(*spreads.T, training_mode, test_loss(engine, model, data), test)


def draw_sizes(measured: dict[str, Sizes]) -> Figure:
    """Draw the statistics' noise, and the loss, against the batch size."""
    figure, ((left, middle, right),) = sheet(1, 3, 3.8, "Small batches make batch norm's statistics noisy")
    first = next(iter(measured))
    x = np.array(SIZES)
    line(left, x, {name: one.mean_noise for name, one in measured.items()}, BLUE, "mean")
    line(left, x, {name: one.var_noise for name, one in measured.items()}, ORANGE, "variance")
    left.plot(x, 1 / np.sqrt(x), ":", color=INK, lw=1, label="1/sqrt(N), sqrt(2/(N-1))")
    left.plot(x, np.sqrt(2 / (x - 1)), ":", color=INK, lw=1)
    left.set(title="Spread of the statistics", ylabel="standard deviation over batches", yscale="log")
    left.legend(loc="lower left", fontsize=8)
    line(
        middle, x, {name: one.loss_training_mode for name, one in measured.items()}, RED, "each batch's own statistics"
    )
    for one in measured.values():
        middle.axhline(
            one.loss_evaluation_mode, color=GREEN, lw=1.5, label="running statistics" * (one is measured[first])
        )
    middle.set(title="One trained network", ylabel="test loss", yscale="log", ylim=(0.14, 1.3))
    middle.set_yticks([0.15, 0.2, 0.3, 0.5, 1.0], ["0.15", "0.2", "0.3", "0.5", "1"])
    middle.legend(loc="upper right", fontsize=8)
    for norm, colour in NORMS.items():
        line(right, x, {name: one.test_loss[norm].mean(axis=0) for name, one in measured.items()}, colour, norm)
        band(right, x, measured[first].test_loss[norm], colour)
    right.set(title=f"Trained for {STEPS} steps ({SEEDS} seeds)", ylabel="test loss")
    right.legend(loc="upper right", fontsize=8)
    for axes in (left, middle, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [str(size) for size in x])
        axes.minorticks_off()
        axes.set_xlabel("batch size N")
    engine_key(figure, list(measured))
    return figure
