"""Training with different activations: zero-centred outputs, sparsity and speed, for the lesson on activations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.engines import Engine
from benchmarks.lessons.support.drawing import BLUE, GREEN, ORANGE, band, engine_key, line, sheet
from benchmarks.tasks import Data

COMPARED = {"Sigmoid": ORANGE, "Tanh": BLUE, "ReLU": GREEN}
WIDTH, BATCH = 64, 64
RATES, SEEDS, EPOCHS, ROWS = (0.1, 0.3, 1.0, 3.0), 3, 12, 50
GOAL = 0.25


class Trained(NamedTuple):
    """How one activation trains.

    Attributes
    ----------
    mean, zeros : float
        The mean of the first hidden layer's outputs before training, and the share of them that is exactly 0.
    zeros_after : float
        The same share after training, at the best learning rate.
    one_sign : float
        Share of the second layer's units whose weights' gradients, for a single row, all have the same sign or are 0.
    losses : ndarray of shape (rates, seeds, epochs)
        Test losses.
    """

    mean: float
    zeros: float
    zeros_after: float
    one_sign: float
    losses: np.ndarray

    def best(self) -> int:
        """Return the index of the learning rate with the smallest mean loss over all epochs and seeds."""
        return int(np.nan_to_num(self.losses, nan=np.inf).mean(axis=(1, 2)).argmin())

    def epochs_to_goal(self) -> int | None:
        """Return after how many epochs the mean loss is below GOAL, at the best learning rate."""
        below = np.flatnonzero(self.losses[self.best()].mean(axis=0) < GOAL)
        return int(below[0]) + 1 if len(below) else None


def small_mlp(engine: Engine, name: str) -> object:
    """Build a network of two hidden layers with one activation."""
    nn, dtype = engine.nn, engine.dtype
    hidden = [nn.Linear(2, WIDTH, dtype=dtype), getattr(nn, name)(), nn.Linear(WIDTH, WIDTH, dtype=dtype)]
    return nn.Sequential(*hidden, getattr(nn, name)(), nn.Linear(WIDTH, 2, dtype=dtype))


def train(engine: Engine, model: object, data: Data, lr: float, epochs: int, on_step: object = None) -> object:
    """Train with plain gradient descent, and return the history."""
    return engine.train.fit(
        model,
        engine.nn.CrossEntropyLoss(),
        engine.optim.SGD(model.parameters(), lr=lr),
        (engine.asarray(data.x_train), engine.asarray(data.y_train)),
        (engine.asarray(data.x_test), engine.asarray(data.y_test)),
        epochs=epochs,
        batch_size=BATCH,
        on_step=on_step,
    )


def hidden_outputs(engine: Engine, model: object, data: Data) -> np.ndarray:
    """Return the first hidden layer's outputs on the training set."""
    return engine.predict(model[:2], data.x_train)


def one_signed(engine: Engine, model: object, data: Data) -> float:
    """Return how often the gradients of all weights of a live unit, for a single row, have no two different signs."""
    shares = []
    for row in range(ROWS):
        engine.loss_backward(model, engine.nn.CrossEntropyLoss(), data.x_train[[row]], data.y_train[[row]])
        signs = np.sign(engine.grads(model)["2.weight"])
        live = np.abs(signs).any(axis=1)
        shares.append((np.abs(signs[live].sum(axis=1)) == np.abs(signs[live]).sum(axis=1)).mean())
    return float(np.mean(shares))


def measure(engine: Engine, data: Data, name: str, first_seed: int) -> Trained:
    """Look at an untrained network's first layer, then train at each learning rate."""
    engine.manual_seed(first_seed)
    model = small_mlp(engine, name)
    h = hidden_outputs(engine, model, data)
    one_sign = one_signed(engine, model, data)
    losses, zeros = np.empty((len(RATES), SEEDS, EPOCHS)), np.empty(len(RATES))
    for row, lr in enumerate(RATES):
        for k in range(SEEDS):
            engine.manual_seed(first_seed + k)
            model = small_mlp(engine, name)
            losses[row, k] = train(engine, model, data, lr, EPOCHS).test_loss
        zeros[row] = (hidden_outputs(engine, model, data) == 0).mean()
    found = Trained(float(h.mean()), float((h == 0).mean()), 0.0, one_sign, losses)
    return found._replace(zeros_after=float(zeros[found.best()]))


def row(name: str, one: Trained) -> tuple[object, ...]:
    """Return an activation's row of the table."""
    shares = (f"{share:.0%}" for share in (one.zeros, one.zeros_after, one.one_sign))
    return name, f"{one.mean:.2f}", *shares, f"{RATES[one.best()]:g}", one.epochs_to_goal() or f"over {EPOCHS}"


COLUMNS = (
    "activation",
    "mean output",
    "zeros",
    "after training",
    "gradients of one sign",
    "best lr",
    f"epochs to {GOAL}",
)


def draw(trained: dict[str, dict[str, Trained]]) -> Figure:
    """Draw the test loss at each activation's best learning rate, and the loss after the last epoch at every rate."""
    figure, ((left, right),) = sheet(1, 2, 3.7, "Sigmoid, tanh and ReLU, each at its best learning rate")
    first = next(iter(trained))
    epochs = np.arange(1, EPOCHS + 1)
    for name, colour in COMPARED.items():
        best = trained[first][name].best()
        curves = {engine: found[name].losses[best].mean(axis=0) for engine, found in trained.items()}
        line(left, epochs, curves, colour, f"{name}, lr {RATES[best]:g}")
        band(left, epochs, trained[first][name].losses[best], colour)
        ends = {engine: found[name].losses[:, :, -1].mean(axis=1) for engine, found in trained.items()}
        line(right, np.array(RATES), ends, colour, name)
    left.set(title=f"Test loss, {SEEDS} seeds", xlabel="epoch", ylim=(0.1, 0.75))
    left.legend()
    right.set(title=f"After {EPOCHS} epochs", xlabel="learning rate", xscale="log", ylim=(0.1, 0.75))
    right.set_xticks(RATES, [f"{lr:g}" for lr in RATES])
    right.minorticks_off()
    engine_key(figure, list(trained))
    return figure
