"""One task, one engine, one training run: the same code for both engines."""

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from benchmarks import engines, runs, tasks
from benchmarks.engines import Engine
from benchmarks.errors import Failure, UsageError
from benchmarks.tasks import Data, Task


@dataclass(frozen=True)
class Settings:
    """What decides a run: the task, the engine ("scratch", "torch" or "both"), and every number of the recipe."""

    task: str
    engine: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    dropout: float
    seed: int
    dtype: str
    device: str

    @classmethod
    def of_recipe(cls, task: Task, engine: str, **changes: object) -> "Settings":
        """Return a task's recipe, with the options that are not None in the place of its own."""
        given = {key: value for key, value in changes.items() if value is not None}
        defaults = {"seed": 0, "dtype": "float32", "device": "cpu", **asdict(task.recipe)}
        return cls(task=task.name, engine=engine, **{**defaults, **given})

    @classmethod
    def of_config(cls, config: dict) -> "Settings":
        """Return the settings of a run from its config.json."""
        try:
            return cls(**config["settings"])
        except TypeError:
            names = ", ".join(field.name for field in fields(cls))
            raise Failure(f"config.json is damaged: expected the settings {names}") from None

    def engines(self) -> tuple[str, ...]:
        """Return the names of the engines that run."""
        return engines.NAMES if self.engine == "both" else (self.engine,)

    def command(self) -> str:
        """Return the command line that repeats the run."""
        options = [
            word
            for name, value in asdict(self).items()
            if name != "task"
            for word in (f"--{name.replace('_', '-')}", str(value))
        ]
        return shlex.join(["backprop", "train", self.task, *options])


@dataclass(frozen=True)
class Trained:
    """An engine, the network that it trained, and how that went (the lists of its History, by name)."""

    engine: Engine
    model: object
    history: dict[str, list[float]]


def get_engines(settings: Settings) -> list[Engine]:
    """Return the engines that run; where both do, the device is PyTorch's."""
    scratch = "cpu" if settings.engine == "both" else settings.device
    devices = {"scratch": scratch, "torch": settings.device}
    return [engines.get(name, settings.dtype, devices[name]) for name in settings.engines()]


def check_batches(settings: Settings, task: Task, data: Data) -> None:
    """Raise ``UsageError`` unless every batch of an epoch has the rows that the task needs."""
    rows, size = len(data.x_train), settings.batch_size
    if size > rows:
        raise UsageError(f"--batch-size: expected at most the {rows} training rows, got {size}")
    smallest = min(size, rows % size or size)
    if smallest < task.smallest_batch:
        raise UsageError(
            f"--batch-size {size} leaves a batch of {smallest} of the {rows} training rows; "
            f"batch norm needs {task.smallest_batch}"
        )


@np.errstate(all="ignore")  # a run that diverges says so by its numbers, in both engines
def train(settings: Settings, engine: Engine, data: Data, on_step: Callable | None = None) -> Trained:
    """Build the task's network from the seed, and train it by its recipe."""
    engine.manual_seed(settings.seed)
    model = engine.place(tasks.get(settings.task).build(engine, settings.dropout))
    optimizer = engine.optim.Adam(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    history = engine.train.fit(
        model,
        engine.nn.CrossEntropyLoss(),
        optimizer,
        (engine.asarray(data.x_train), engine.asarray(data.y_train)),
        (engine.asarray(data.x_test), engine.asarray(data.y_test)),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        on_step=on_step,
    )
    return Trained(engine, model, history.to_dict())


def save(folder: Path, settings: Settings, trained: list[Trained]) -> None:
    """Write the run: each engine's part, which is a run of that engine alone, then what makes them one run."""
    for one in trained:
        name = one.engine.name
        own = replace(settings, engine=name, device=one.engine.device)
        config = runs.describe(asdict(own), own.command())
        runs.save(runs.part(folder, name, settings.engine), config, one.history, one.engine.state(one.model))
    if settings.engine == "both":
        runs.write_json(folder / "config.json", runs.describe(asdict(settings), settings.command()))
