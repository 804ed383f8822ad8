"""One task, one engine, one training run: the same code for both engines."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks import engines, tasks
from benchmarks.engines import Engine
from benchmarks.errors import Failure, UsageError
from benchmarks.runs.checkpoint import Keeper
from benchmarks.runs.settings import BOTH, Settings
from benchmarks.tasks import Data, Task


@dataclass(frozen=True)
class Trained:
    """An engine, the network that it trained, and how that went (the lists of its History, by name)."""

    engine: Engine
    model: object
    history: dict[str, list[float]]


def get_engines(settings: Settings) -> list[Engine]:
    """Return the engines that run; if both do, the device and the number of processes are for PyTorch."""
    name = settings.engine
    if name not in ("torch", BOTH) and settings.processes > 1:
        raise UsageError(f"the {name} engine is one process; --processes {settings.processes} is for --engine torch")
    if name not in ("torch", BOTH) and settings.fast:
        raise UsageError(f"the {name} engine has one way to compute; --precision and --compile are for --engine torch")
    if name == BOTH:
        found = [engines.get("scratch", settings.dtype), engines.get("torch", settings.dtype, settings.device)]
    else:
        found = [engines.get(name, settings.dtype, settings.device)]
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
    """Return the task's network with the weights that the seed gives, and its optimizer."""
    engine.manual_seed(settings.seed)
    model = engine.place(tasks.get(settings.task).build(engine, settings.dropout))
    return model, engine.optim.Adam(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)


def fast_fit(precision: str | None, compiled: bool) -> Callable:
    """Return the ``fit`` of ``torch_ref/scale/fast.py``, with these options."""
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
    """Build the task's network from the seed, and train it by its recipe, from the keeper's checkpoint on, if any.

    In a run of several processes, each process calls this.
    """
    model, optimizer = prepare(settings, engine)
    progress, after_step, after_epoch = None, on_step, None
    if keeper is not None:
        progress = keeper.begin(engine, model, optimizer, len(data.x_train))
        after_epoch = keeper.after_epoch

        def after_step(progress: object) -> None:
            if on_step is not None:
                on_step(progress)
            keeper.after_step(progress)

    with engine.running():
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
