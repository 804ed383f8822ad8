"""One task, one engine, one training run: the same code for both engines."""

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import engines, tasks
from benchmarks.engines import Engine
from benchmarks.errors import Failure, UsageError
from benchmarks.runs import folder as runs
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.interrupts import Interrupts
from benchmarks.tasks import Data, Task


@dataclass(frozen=True)
class Settings:
    """What decides a run: the task, the engine ("scratch", "torch" or "both"), and every number of the recipe.

    With a ``precision``, or ``compile``, the torch engine takes the loop of ``torch_ref/scale/fast.py``.
    """

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
    processes: int = 1
    precision: str | None = None
    compile: bool = False

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

    @property
    def fast(self) -> bool:
        """Whether the torch engine leaves the plain loop."""
        return self.precision is not None or self.compile

    def to_dict(self) -> dict[str, object]:
        """Return the settings as files hold them: without the options that nobody chose."""
        return {name: value for name, value in asdict(self).items() if value is not None and value is not False}

    def command(self) -> str:
        """Return the command line that repeats the run."""
        words = []
        for name, value in self.to_dict().items():
            if name != "task":
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return shlex.join(["backprop", "train", self.task, *words])


@dataclass(frozen=True)
class Trained:
    """An engine, the network that it trained, and how that went (the lists of its History, by name)."""

    engine: Engine
    model: object
    history: dict[str, list[float]]


def get_engines(settings: Settings) -> list[Engine]:
    """Return the engines that run; where both do, the device and the number of processes are PyTorch's."""
    if settings.engine == "scratch" and settings.processes > 1:
        raise UsageError(f"the scratch engine is one process; --processes {settings.processes} is for --engine torch")
    if settings.engine == "scratch" and settings.fast:
        raise UsageError("the scratch engine has one way to compute; --precision and --compile are for --engine torch")
    scratch = "cpu" if settings.engine == "both" else settings.device
    devices = {"scratch": scratch, "torch": settings.device}
    found = [engines.get(name, settings.dtype, devices[name]) for name in settings.engines()]
    if settings.processes > 1:
        from torch_ref.scale import distributed

        try:
            distributed.check(found[-1].device, settings.processes)
        except ValueError as error:
            raise UsageError(f"--processes: {error}") from None
        except RuntimeError as error:
            raise Failure(f"--processes: {error}") from None
    if settings.fast:
        _check_fast(settings, found[-1].device)
    return found


def _check_fast(settings: Settings, device: str) -> None:
    from torch_ref.scale import fast

    if settings.processes > 1:
        raise UsageError("--precision and --compile are for one process; leave them out, or --processes")
    if settings.precision in ("tf32", "bf16") and settings.dtype != "float32":
        raise UsageError(f"--precision {settings.precision} rounds float32; leave it out, or --dtype {settings.dtype}")
    try:
        fast.check(device, settings.precision or "fp32", settings.compile)
    except ValueError as error:
        raise UsageError(f"--device {device}: {error}") from None


def check_batches(settings: Settings, task: Task, data: Data) -> None:
    """Raise ``UsageError`` unless every batch of an epoch has the rows that the task needs."""
    rows, size = len(data.x_train), settings.batch_size
    if size > rows:
        raise UsageError(f"--batch-size: expected at most the {rows} training rows, got {size}")
    smallest = min(size, rows % size or size)
    if settings.processes > 1 and smallest < settings.processes * task.smallest_batch:
        raise UsageError(
            f"--processes {settings.processes}: --batch-size {size} leaves a batch of {smallest} of the {rows} "
            f"training rows; every process needs {task.smallest_batch} of its own"
        )
    if smallest < task.smallest_batch:
        raise UsageError(
            f"--batch-size {size} leaves a batch of {smallest} of the {rows} training rows; "
            f"batch norm needs {task.smallest_batch}"
        )


def prepare(settings: Settings, engine: Engine) -> tuple[object, object]:
    """Return the task's network with the weights that the seed gives, and what changes them."""
    engine.manual_seed(settings.seed)
    model = engine.place(tasks.get(settings.task).build(engine, settings.dropout))
    return model, engine.optim.Adam(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)


def fast_fit(precision: str | None, compiled: bool) -> Callable:
    """Return torch's ``fit`` in ``torch_ref/scale/fast.py``, with its options."""
    from torch_ref.scale import fast

    return partial(fast.fit, precision=precision or "fp32", compiled=compiled)


def get_fit(settings: Settings, engine: Engine) -> Callable:
    """Return the training loop that the settings ask for."""
    if settings.fast:
        return fast_fit(settings.precision, settings.compile)
    if settings.processes > 1:
        from torch_ref.scale import distributed

        return distributed.fit
    return engine.train.fit


@np.errstate(all="ignore")  # a run that diverges says so by its numbers, in both engines
def train(
    settings: Settings,
    engine: Engine,
    data: Data,
    on_step: Callable | None = None,
    keeper: Keeper | None = None,
) -> Trained:
    """Build the task's network from the seed, and train it by its recipe; from the keeper's checkpoint on, if any.

    In a run of several processes, each of them calls this.
    """
    model, optimizer = prepare(settings, engine)
    progress, after_step, after_epoch = None, on_step, None
    if keeper is not None:
        progress = keeper.begin(engine, model, optimizer, len(data.x_train), settings.batch_size)
        after_epoch = keeper.after_epoch

        def after_step(progress: object) -> None:
            if on_step is not None:
                on_step(progress)
            keeper.after_step(progress)

    history = get_fit(settings, engine)(
        model,
        engine.nn.CrossEntropyLoss(),
        optimizer,
        (engine.asarray(data.x_train), engine.asarray(data.y_train)),
        (engine.asarray(data.x_test), engine.asarray(data.y_test)),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        progress=progress,
        on_step=after_step,
        on_epoch=after_epoch,
    )
    return Trained(engine, model, history.to_dict())


def own_settings(settings: Settings, engine: Engine) -> Settings:
    """Return the settings of one engine's part of a run, which is a run of that engine alone."""
    own = replace(settings, engine=engine.name, device=engine.device)
    return own if engine.name == "torch" else replace(own, processes=1, precision=None, compile=False)


def train_or_load(
    folder: Path,
    settings: Settings,
    engine: Engine,
    data: Data,
    data_dir: Path,
    on_step: Callable,
    every: int | None,
    interrupts: Interrupts,
) -> Trained:
    """Return one engine's part of the run in ``folder``: what it holds already, or what training gives, saved there."""
    part, own = runs.part(folder, engine.name, settings.engine), own_settings(settings, engine)
    if runs.is_finished(part):
        return load(part, own, engine)
    keeper = Keeper(part / runs.CHECKPOINT, own.to_dict(), every, interrupts)
    with interrupts.deferred():
        if own.processes > 1:
            from benchmarks.runs.processes import train_together

            one = train_together(own, engine, data_dir, on_step, keeper, interrupts)
        else:
            one = train(own, engine, data, on_step, keeper)
        runs.save(part, runs.describe(own.to_dict(), own.command()), one.history, engine.state(one.model))
    return one


def load(part: Path, settings: Settings, engine: Engine) -> Trained:
    """Return what an engine trained, from its folder."""
    found = Settings.of_config(runs.load_config(part))
    if found != settings:
        raise Failure(f"{part} is a run of other settings: {found.command()}")
    state, history = runs.load(part)
    return Trained(engine, load_model(engine, settings, state, part), history)


def load_model(engine: Engine, settings: Settings, state: dict[str, np.ndarray], part: Path) -> object:
    """Return the task's network in ``engine``, with the weights that the folder ``part`` holds."""
    model = engine.place(tasks.get(settings.task).build(engine, settings.dropout))
    try:
        engine.load_state(model, state)
    except RuntimeError as error:
        raise Failure(f"{part / 'model.safetensors'} does not fit the network of {settings.task}: {error}") from None
    return model


def finish(folder: Path, settings: Settings) -> None:
    """Make the parts one finished run, if they are not yet, and remove its checkpoints."""
    if not runs.is_finished(folder):
        runs.write_json(folder / "config.json", runs.describe(settings.to_dict(), settings.command()))
    runs.clean(folder)
