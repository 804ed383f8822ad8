"""How batch size, input scale and width affect a training step: part of the lesson on the perceptron."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.figures.style import INK
from benchmarks.lessons.support.drawing import BLUE, COLOURS, GREEN, ORANGE, RED, decimal, engine_key, line, sheet
from benchmarks.tasks import Data

SIZES, DRAWS, WARM_UP = (1, 4, 16, 64, 256), 40, 50
SCALES = {"as they are": BLUE, "second feature times 30": RED, "times 30, then standardized": GREEN}
RATES, STEPS, BATCH = (0.01, 0.03, 0.1, 0.3, 1.0), 100, 64
WIDTHS, ROUNDS = (8, 64, 512), 5


class Noise(NamedTuple):
    """How far batches' gradients are from the whole set's, relative to its norm; the share that point uphill."""

    spread: np.ndarray
    uphill: np.ndarray


def flat_gradient(engine: Engine, model: object, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of all parameters as one vector."""
    engine.loss_backward(model, engine.nn.CrossEntropyLoss(), x, y)
    return np.concatenate([grad.ravel() for grad in engine.grads(model).values()]).astype(np.float64)


def noise(engine: Engine, data: Data, seed: int) -> Noise:
    """Measure the gradients of random batches, drawn with replacement, in a network that has learned a little."""
    engine.manual_seed(seed)
    model = engine.models.MLP(dtype=engine.dtype)
    optimizer, rng = engine.optim.SGD(model.parameters(), lr=0.1), np.random.default_rng(seed)
    for batch in rng.integers(0, len(data.x_train), size=(WARM_UP, BATCH)):
        flat_gradient(engine, model, data.x_train[batch], data.y_train[batch])
        optimizer.step()
    whole = flat_gradient(engine, model, data.x_train, data.y_train)
    spread, uphill = [], []
    for size in SIZES:
        rows = rng.integers(0, len(data.x_train), size=(DRAWS, size))
        drawn = np.array([flat_gradient(engine, model, data.x_train[k], data.y_train[k]) for k in rows])
        spread.append(np.sqrt(((drawn - whole) ** 2).sum(axis=1).mean()) / np.linalg.norm(whole))
        uphill.append((drawn @ whole < 0).mean())
    return Noise(np.array(spread), np.array(uphill))


def scaled(data: Data, how: str) -> np.ndarray:
    """Return the training inputs scaled as one of SCALES says."""
    x = data.x_train
    if how == "as they are":
        return x
    x = x * np.array([1.0, 30.0])
    return x if how == "second feature times 30" else (x - x.mean(axis=0)) / x.std(axis=0)


def scaling(engine: Engine, data: Data, seed: int) -> np.ndarray:
    """Return the training loss after STEPS of gradient descent, for each input scale and learning rate."""
    losses = np.empty((len(SCALES), len(RATES)))
    for row, how in enumerate(SCALES):
        x = scaled(data, how)
        for column, lr in enumerate(RATES):
            engine.manual_seed(seed)
            model, criterion = engine.models.MLP(hid=16, dtype=engine.dtype), engine.nn.CrossEntropyLoss()
            optimizer = engine.optim.SGD(model.parameters(), lr=lr)
            for batch in np.random.default_rng(seed).integers(0, len(x), size=(STEPS, BATCH)):
                engine.loss_backward(model, criterion, x[batch], data.y_train[batch])
                optimizer.step()
            losses[row, column] = engine.train.evaluate(
                model, criterion, (engine.asarray(x), engine.asarray(data.y_train))
            ).loss
    return losses


def step_seconds(engines: list[Engine], data: Data) -> dict[str, np.ndarray]:
    """Return the seconds of a training step in each engine, for each width; timed in turns."""
    from benchmarks.speed.timing import interleave

    seconds: dict[str, list[float]] = {engine.name: [] for engine in engines}
    for width in WIDTHS:
        steps = {}
        for engine in engines:
            model, criterion = engine.models.MLP(hid=width, dtype=engine.dtype), engine.nn.CrossEntropyLoss()
            optimizer = engine.optim.SGD(model.parameters(), lr=1e-6)
            x, y = engine.asarray(data.x_train[:BATCH]), engine.asarray(data.y_train[:BATCH])
            parts = (engine, model, criterion, optimizer, x, y)
            steps[engine.name] = lambda parts=parts: parts[0].train.take_step(*parts[1:])
        for name, times in interleave(steps, ROUNDS, threads=1).items():
            seconds[name].append(times.median)
    return {name: np.array(taken) for name, taken in seconds.items()}


def draw(noises: dict[str, Noise], scalings: dict[str, np.ndarray], seconds: dict[str, np.ndarray]) -> Figure:
    """Draw the noise against the batch size, the loss against the learning rate, a step's time against the width."""
    figure, ((left, middle, right),) = sheet(
        1, 3, 3.7, "What a step depends on: batch, scale of the input, size of the network"
    )
    sizes = np.array(SIZES)
    line(left, sizes, {name: one.spread for name, one in noises.items()}, BLUE, "measured")
    first = next(iter(noises.values())).spread
    left.plot(sizes, first[-1] * np.sqrt(sizes[-1] / sizes), ":", color=INK, lw=1, label=r"$1/\sqrt{B}$")
    left.set(title="Noise of a batch's gradient", xlabel="batch size B", ylabel=r"$|g_B - g|\,/\,|g|$", yscale="log")
    decimal(left.yaxis)
    left.set_xscale("log", base=2)
    left.set_xticks(sizes, [str(size) for size in sizes])
    left.legend()
    for row, (how, colour) in enumerate(SCALES.items()):
        line(middle, np.array(RATES), {name: losses[row] for name, losses in scalings.items()}, colour, how)
    middle.set(title=f"Loss after {STEPS} steps", xlabel="learning rate", xscale="log", ylim=(0, 1.6))
    middle.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    middle.set_xticks([], minor=True)
    middle.legend(fontsize=8, loc="upper center")
    for (name, taken), colour in zip(seconds.items(), (COLOURS[0], ORANGE), strict=False):
        right.plot(WIDTHS, 1e3 * taken, "o-", color=colour, label=name)
    right.set(title="Time of a step", ylabel="milliseconds", xlabel="hidden units in each layer", yscale="log")
    decimal(right.yaxis)
    right.set_xscale("log", base=2)
    right.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    right.legend()
    engine_key(figure, list(noises))
    return figure
