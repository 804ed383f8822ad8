"""The race: how many seconds to 99% of MNIST's test images, from data in memory, by a recipe made for speed.

One epoch of a small network, batches of 125, Adam with betas (0.7, 0.9), and a learning rate that rises and falls once
(Smith and Topin, "Super-Convergence", 2018). The first convolution has stride 2, so that everything after it computes
on a quarter of the positions. Batch norm allows a learning rate ten times the usual; it comes after the pooling, which
leaves it a quarter of the numbers. Label smoothing (Szegedy and others, "Rethinking the Inception Architecture", 2016)
gains a tenth of a percent, which pays for fewer channels.

Only training is timed. Set-up is reported separately: moving the data to the device, compiling, recording, and a
warm-up step (which is undone). The test is not timed: it runs once, after the last step.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from benchmarks.engines import Engine
from benchmarks.runs import training
from benchmarks.tables import new_table
from benchmarks.tasks import Data

BATCH, BETAS, TOP_RATE, RISING = 125, (0.7, 0.9), 0.01, 0.3
SMOOTHING = 0.1
TARGET = 0.99


@dataclass(frozen=True)
class Lap:
    """One training run: the seed, the seconds before and during training, and the test accuracy."""

    seed: int
    setup: float
    seconds: float
    accuracy: float


@dataclass(frozen=True)
class Racer:
    """An engine on a device, and how it computes there; ``fast`` is the loop of ``torch_ref/scale/fast.py``."""

    engine: Engine
    precision: str = "fp32"
    compiled: bool = False

    @property
    def fast(self) -> bool:
        """Whether it runs the fast loop instead of the plain one, which both engines have."""
        return self.engine.device != "cpu" or self.precision != "fp32" or self.compiled

    @property
    def name(self) -> str:
        """The name in the table."""
        return " ".join([self.engine.name, self.engine.device, self.precision, *["compiled"] * self.compiled])


def network(engine: Engine) -> object:
    """Build the network, (N, 1, 28, 28) to (N, 10), in either engine."""
    nn, dtype = engine.nn, {"dtype": engine.dtype}
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2, **dtype),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1, **dtype),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(24, **dtype),
        nn.Conv2d(24, 48, 3, padding=1, **dtype),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(48, **dtype),
        nn.Flatten(),
        nn.Linear(48 * 3 * 3, 10, **dtype),
    )


def learning_rates(steps: int) -> list[float]:
    """Return the rate of each step: up from a 25th of the top on half a cosine, then down to a 1,000th."""
    peak = RISING * steps

    def between(low: float, share: float) -> float:
        return low + (TOP_RATE - low) * (1 - math.cos(math.pi * share)) / 2

    return [
        between(TOP_RATE / 25, step / peak)
        if step < peak
        else between(TOP_RATE / 1000, (steps - step) / (steps - peak))
        for step in range(steps)
    ]


def run(racer: Racer, data: Data, seed: int) -> Lap:
    """Train once."""
    engine, began = racer.engine, time.perf_counter()
    engine.manual_seed(seed)
    model = engine.place(network(engine))
    rates = learning_rates(math.ceil(len(data.x_train) / BATCH))
    optimizer = engine.optim.Adam(model.parameters(), lr=rates[0], betas=BETAS)
    sets = [
        (engine.asarray(x), engine.asarray(y)) for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test))
    ]
    fit = training.fast_fit(racer.precision, racer.compiled) if racer.fast else engine.train.fit
    ready = seconds = 0.0

    def on_step(progress: object) -> None:
        nonlocal ready, seconds
        if progress.step == 1:
            ready = time.perf_counter() - progress.seconds
        if progress.step < len(rates):
            optimizer.param_groups[0]["lr"] = rates[progress.step]
        else:
            float(progress.history.step_loss[-1])  # waits until the device has done all that it was given
            seconds = time.perf_counter() - ready

    criterion = engine.nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    history = fit(model, criterion, optimizer, *sets, epochs=1, batch_size=BATCH, on_step=on_step)
    return Lap(seed, ready - began, seconds, history.test_accuracy[-1])


def table(laps: dict[Racer, list[Lap]]) -> Table:
    """Return a row for each racer: means over its laps, and the share of them that reached the target."""
    columns = ("racer", "seconds, mean", "fastest to slowest", "set-up, seconds", "test accuracy, mean", "reach 99%")
    shown = new_table(*columns, words=1)
    for racer, runs in laps.items():
        seconds = [lap.seconds for lap in runs]
        reached = sum(lap.accuracy >= TARGET for lap in runs)
        shown.add_row(
            racer.name,
            f"{np.mean(seconds):.3g}",
            f"{min(seconds):.3g} to {max(seconds):.3g}",
            f"{np.mean([lap.setup for lap in runs]):.3g}",
            f"{np.mean([lap.accuracy for lap in runs]):.4f}",
            f"{reached} of {len(runs)}",
        )
    return shown
