"""The training loop: forward, loss, backward, step, over shuffled batches, epoch after epoch.

Read this file beside ``torch_ref/train.py``: where this one says ``model.backward(criterion.backward())``, that one
says ``loss.backward()``, and the rest is the same.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scratch import random
from scratch.grad_mode import no_grad
from scratch.nn.module import Module
from scratch.optim.optimizer import Optimizer

Batch = tuple[np.ndarray, np.ndarray]


class History:
    """What a training run measured: lists that grow by one entry per step or per epoch.

    Attributes
    ----------
    step_loss, step_correct : list
        Per optimizer step: the batch's mean loss, and how many of its rows were classified correctly.
    train_loss, train_accuracy : list of float
        Per epoch: the means over the epoch's rows, in training mode, while the weights were changing.
    test_loss, test_accuracy : list of float
        Per epoch: on the test set, in evaluation mode, after the epoch.
    seconds : list of float
        Per epoch: wall-clock time, evaluation included.
    """

    step_loss: list
    step_correct: list
    train_loss: list[float]
    train_accuracy: list[float]
    test_loss: list[float]
    test_accuracy: list[float]
    seconds: list[float]

    FIELDS = ("step_loss", "step_correct", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")

    def __init__(self, **lists: list) -> None:
        if not set(lists) <= set(self.FIELDS):
            raise TypeError(f"History: expected lists named {', '.join(self.FIELDS)}, got {', '.join(lists)}")
        for field in self.FIELDS:
            setattr(self, field, list(lists.get(field, [])))

    def to_dict(self) -> dict[str, list]:
        """Return the lists by name, as plain numbers."""
        return {field: [float(value) for value in getattr(self, field)] for field in self.FIELDS}


class Progress:
    """How far a training run has come: with the model, the optimizer and the generator, all that resuming needs.

    Attributes
    ----------
    epoch : int
        Epochs finished.
    step : int
        Steps taken in the current epoch.
    order : numpy.ndarray or None
        The order of the rows in the current epoch; None between epochs.
    seconds : float
        Time spent so far in the current epoch.
    history : History
    """

    def __init__(self) -> None:
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.order: np.ndarray | None = None
        self.history = History()


class Evaluation(NamedTuple):
    """Mean loss and share of correct predictions over a data set."""

    loss: float
    accuracy: float


def take_step(
    model: Module, criterion: Module, optimizer: Optimizer, x: np.ndarray, y: np.ndarray
) -> tuple[float, int]:
    """Train on a batch; return its mean loss, and how many of its rows were classified correctly."""
    logits = model(x)
    loss = criterion(logits, y)
    optimizer.zero_grad()
    model.backward(criterion.backward())
    optimizer.step()
    return float(loss), int((logits.argmax(axis=1) == y).sum())


def fit(
    model: Module,
    criterion: Module,
    optimizer: Optimizer,
    train_set: Batch,
    test_set: Batch,
    *,
    epochs: int,
    batch_size: int,
    progress: Progress | None = None,
    on_step: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[Progress], None] | None = None,
) -> History:
    """Train a classifier.

    Parameters
    ----------
    model, criterion, optimizer
        The network, its loss and its optimizer.
    train_set, test_set : pair of numpy.ndarray
        Inputs, of any shape (rows, ...), and class indices of shape (rows,).
    epochs : int
        Passes over the training set, including those that ``progress`` has already made.
    batch_size : int
        Rows per step; the last step of an epoch takes what is left.
    progress : Progress, optional
        Where to start from; the beginning by default.
    on_step, on_epoch : callable, optional
        Called with the progress after every step and every epoch.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If ``batch_size`` is not between 1 and the number of rows.
    """
    x, y = train_set
    rows = len(x)
    if not 1 <= batch_size <= rows:
        raise ValueError(f"fit: expected a batch size between 1 and the {rows} training rows, got {batch_size}")
    progress = progress or Progress()
    history = progress.history
    model.requires_input_grad_(False)
    try:
        while progress.epoch < epochs:
            started = time.perf_counter() - progress.seconds
            model.train()
            if progress.order is None:
                progress.order = random.randperm(rows)
            for start in range(progress.step * batch_size, rows, batch_size):
                batch = progress.order[start : start + batch_size]
                loss, correct = take_step(model, criterion, optimizer, x[batch], y[batch])
                history.step_loss.append(loss)
                history.step_correct.append(correct)
                progress.step += 1
                progress.seconds = time.perf_counter() - started
                if on_step is not None:
                    on_step(progress)
            close_epoch(progress, evaluate(model, criterion, test_set), rows, batch_size)
            history.seconds.append(time.perf_counter() - started)
            if on_epoch is not None:
                on_epoch(progress)
    finally:
        model.requires_input_grad_()
    return history


def close_epoch(progress: Progress, test: Evaluation, rows: int, batch_size: int) -> None:
    """Add an entry for the epoch to the history, and move the progress to the start of the next epoch."""
    history, steps = progress.history, progress.step
    sizes = np.full(steps, batch_size)
    sizes[-1] = rows - (steps - 1) * batch_size
    history.train_loss.append(float(np.dot(history.step_loss[-steps:], sizes)) / rows)
    history.train_accuracy.append(sum(history.step_correct[-steps:]) / rows)
    history.test_loss.append(test.loss)
    history.test_accuracy.append(test.accuracy)
    progress.epoch, progress.step, progress.seconds, progress.order = progress.epoch + 1, 0, 0.0, None


def predict(model: Module, x: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """Return the model's outputs in evaluation mode, ``batch_size`` rows at a time; every layer's mode is restored."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with no_grad():
        outputs = [model(x[start : start + batch_size]) for start in range(0, len(x), batch_size)]
    for module, training in modes:
        module.training = training
    return np.concatenate(outputs)


def evaluate(model: Module, criterion: Module, test_set: Batch, batch_size: int = 250) -> Evaluation:
    """Return the mean loss and the accuracy of a classifier on a data set, in evaluation mode."""
    x, y = test_set
    logits = predict(model, x, batch_size)
    with no_grad():
        loss = criterion(logits, y)
    return Evaluation(float(loss), float((logits.argmax(axis=1) == y).mean()))
