"""What the commands about runs show: a bar for each engine while it trains, and the tables of the results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.runs.drift import Drift
from benchmarks.runs.settings import Settings
from benchmarks.tables import new_table

CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


@contextmanager
def progress_bars(epochs: int, steps: int) -> Iterator[Callable]:
    """Show a bar for each engine; yield a function that adds a bar and returns what `fit` calls at every step."""
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("steps  epoch {task.fields[epoch]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    latest: dict[Callable, object] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def add(engine: str) -> Callable:
            bar = bars.add_task(engine, total=epochs * steps, epoch=f"1/{epochs}", note="")

            def on_step(progress: object) -> None:
                latest[on_step] = progress
                done = progress.epoch * steps + progress.step
                epoch = min(progress.epoch + 1, epochs)
                accuracies = progress.history.test_accuracy
                note = f"test accuracy {accuracies[-1]:.4f}" if accuracies else ""
                bars.update(bar, completed=done, epoch=f"{epoch}/{epochs}", note=note)

            return on_step

        yield add
        for on_step, progress in latest.items():  # once more: the last evaluation comes after the last step
            on_step(progress)


def epochs_table(histories: dict[str, dict[str, list[float]]]) -> Table:
    """Return a row for each epoch: loss and accuracy, train and test, for each engine, and the largest difference."""
    table = new_table("epoch")
    for engine in histories:
        for curve in CURVES:
            header = f"{engine}\n" + curve.replace("_", "\n")
            table.add_column(header, justify="right", style="" if engine == "torch" else "cyan")
    if len(histories) > 1:
        table.add_column("largest\ndifference", justify="right")
    for epoch in range(max(len(history["test_loss"]) for history in histories.values())):
        cells = [f"{history[curve][epoch]:.4f}" for history in histories.values() for curve in CURVES]
        if len(histories) > 1:
            cells.append(f"{difference(histories, epoch):.1e}")
        table.add_row(str(epoch + 1), *cells)
    return table


def difference(histories: dict[str, dict[str, list[float]]], epoch: int) -> float:
    """Return the largest absolute difference between two engines, over the losses and accuracies of an epoch."""
    one, other = histories.values()
    return max(abs(one[curve][epoch] - other[curve][epoch]) for curve in CURVES)


def summary_table(histories: dict[str, dict[str, list[float]]], required: float | None) -> Table:
    """Return a row for each engine: where it ended, what the task's recipe asks for, and how long it took.

    ``required`` is None where the run is not by the recipe: nothing is asked of it.
    """
    asked = [] if required is None else ["the recipe must reach"]
    table = new_table("engine", "test loss", "test accuracy", *asked, "seconds", "seconds an epoch", words=1)
    for engine, history in histories.items():
        seconds = history["seconds"]
        table.add_row(
            engine,
            f"{history['test_loss'][-1]:.4f}",
            f"{history['test_accuracy'][-1]:.4f}",
            *([] if required is None else [f"{required:.4f}"]),
            f"{sum(seconds):.1f}",
            f"{sum(seconds) / len(seconds):.2f}",
        )
    return table


def drift_table(rows: list[tuple[Settings, Drift]]) -> Table:
    """Return a row for each run of both engines: where their losses first differ, and where they differ most."""
    columns = ("task", "dtype", "seed", "steps", "first difference", "there", "largest difference", "at step")
    table = new_table(*columns, words=2)
    for settings, drift in rows:
        first = (
            ("none", "0") if drift.first is None else (f"step {drift.first}", f"{drift.relative[drift.first - 1]:.1e}")
        )
        steps = str(len(drift.relative))
        largest = (f"{drift.largest:.1e}", str(drift.largest_step))
        table.add_row(settings.task, settings.dtype, str(settings.seed), steps, *first, *largest)
    return table


def evaluation_table(rows: list[tuple[str, str, float, float, float, float]]) -> Table:
    """Return a row for each set of weights: who trained it, who tested it, the result, and what was recorded."""
    columns = ("trained by", "tested by", "test loss", "test accuracy", "recorded loss", "recorded accuracy")
    table = new_table(*columns, "largest difference", words=2)
    for trainer, tester, loss, accuracy, old_loss, old_accuracy in rows:
        largest = max(abs(loss - old_loss), abs(accuracy - old_accuracy))
        numbers = [f"{value:.4f}" for value in (loss, accuracy, old_loss, old_accuracy)]
        table.add_row(trainer, tester, *numbers, f"{largest:.1e}")
    return table


def export_table(rows: list[tuple[str, str, float, float, float]]) -> Table:
    """Return a row for each set of weights and engine: how far the exported model's outputs are from the engine's."""
    columns = ("trained by", "compared with", "largest difference", "its accuracy", "accuracy in onnxruntime")
    table = new_table(*columns, words=2)
    for trainer, engine, difference, accuracy, exported in rows:
        table.add_row(trainer, engine, f"{difference:.1e}", f"{accuracy:.4f}", f"{exported:.4f}")
    return table
