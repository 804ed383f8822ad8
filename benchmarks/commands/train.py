"""``backprop train``: a task's network, trained by one engine or by both."""

import argparse
import contextlib
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import engines, tasks
from benchmarks.commands import argument_types
from benchmarks.engines import Engine
from benchmarks.errors import Failure, Interrupted, UsageError, shown
from benchmarks.runs import folder, record
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.parts import finish, train_or_load
from benchmarks.runs.settings import BOTH, Settings
from benchmarks.runs.training import Trained, check_batches, get_engines
from benchmarks.tasks import Data, Task

EXAMPLES = """\
examples:
  backprop train moons --engine both
  backprop train digits --engine scratch --epochs 10 --seed 3
  backprop train moons --engine plain
  backprop train mnist --engine both --out runs/mnist
  backprop train fashion-mnist --engine torch --device cuda --data-dir ~/data
  backprop train mnist --engine torch --device cuda --precision bf16 --compile
  backprop train mnist --engine torch --processes 2
  backprop train mnist --checkpoint-every 100 --out runs/long
  backprop train --resume runs/long

(recipe) stands for the task's own default. Where both engines run, each runs its own loop, one after the other, and
--device is the torch engine's: by default CUDA if there is a device, else an Apple GPU, else the CPU. plain is the
scratch engine with the functions that are there to be read, instead of its kernels.

--precision and --compile, either or both, make the torch engine use the loop written for accelerators: images on the
device as bytes, channels-last, and on CUDA the whole step as one graph, which is set up before the first epoch. fp32
rounds nothing that float32 would not; tf32 and bf16 are for devices that have them.

--processes divides every batch of the torch engine among that many processes, on the CPU or on as many CUDA devices.
The result equals one process's, except for rounding, dropout's masks, and, on the CPU, batch norm, which sees only its
own share of the batch.

Ctrl-C and SIGTERM end a run after the current step, with a checkpoint; --checkpoint-every also saves one every N steps,
for a run that may be killed. A resumed run takes everything from its folder, and on a CPU, with the same number of
threads, it gives bit for bit what it would have given uninterrupted. Resuming a finished run draws its figures again.
Only one process at a time can work in a run's folder.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("task", metavar="TASK", nargs="?", choices=tasks.NAMES, help=", ".join(tasks.NAMES))
    parser.add_argument("--engine", choices=(*engines.EVERY, BOTH), help="which engine trains (both)")
    number = {"type": argument_types.count, "metavar": "N"}
    parser.add_argument("--epochs", **number, help="passes over the training set (recipe)")
    parser.add_argument("--batch-size", **number, help="rows in each step (recipe)")
    parser.add_argument("--lr", type=argument_types.non_negative, metavar="X", help="Adam's learning rate (recipe)")
    parser.add_argument(
        "--weight-decay", type=argument_types.non_negative, metavar="X", help="L2 weight decay (recipe)"
    )
    parser.add_argument(
        "--dropout", type=argument_types.probability, metavar="P", help="dropout's probability (recipe)"
    )
    parser.add_argument("--seed", type=argument_types.seed, metavar="N", help="seed of weights, order and dropout (0)")
    parser.add_argument("--dtype", choices=engines.DTYPES, help="floating-point type (float32)")
    parser.add_argument("--device", type=argument_types.device, help="auto, cpu, cuda, cuda:N or mps (auto)")
    parser.add_argument("--processes", **number, help="processes that share each batch of the torch engine (1)")
    parser.add_argument("--precision", choices=engines.PRECISIONS, help="of torch's products (float32's own)")
    parser.add_argument("--compile", action="store_true", default=None, help="use torch.compile on torch's network")
    argument_types.add_data_dir(parser)
    parser.add_argument(
        "--out", type=argument_types.path, metavar="RUN", help="folder to write (a new one under ./runs)"
    )
    parser.add_argument("--checkpoint-every", **number, help="steps between two checkpoints (none)")
    parser.add_argument("--resume", type=argument_types.path, metavar="RUN", help="continue a run, in its folder")


HYPERPARAMETERS = ("epochs", "batch_size", "lr", "weight_decay", "dropout")
RECIPE = (*HYPERPARAMETERS, "seed", "dtype", "device", "processes", "precision", "compile")


def run(args: argparse.Namespace) -> int:
    """Train, or go on training, and write the run."""
    if args.resume is not None:
        resume(args)
        return 0
    if args.task is None:
        raise UsageError(f"expected a TASK ({', '.join(tasks.NAMES)}), or --resume RUN")
    changes = {name: getattr(args, name) for name in RECIPE} | {"device": args.device or "auto"}
    settings = Settings.of_recipe(tasks.get(args.task), args.engine or BOTH, **changes)
    begin(settings, argument_types.data_dir(args.data_dir), args.out, args.checkpoint_every)
    return 0


def begin(
    settings: Settings, data_dir: Path, out: Path | None, every: int | None = None, name: str | None = None
) -> None:
    """Train in each engine, write the run's folder, show the tables.

    Parameters
    ----------
    settings : Settings
    data_dir : Path
    out : Path or None
        The folder; None: a new one under ./runs.
    every : int or None
        Steps between two checkpoints.
    name : str, optional
        The name of that new folder.
    """
    base = out or Path("runs", name or f"{settings.task}-{settings.engine}")
    with Interrupts() as interrupts:
        if out is not None:
            folder.check_free(out)
        every_engine, settings, data = prepare(settings, data_dir)
        if out is not None:
            folder.check_free(out)  # preparing takes seconds, and another run may have begun
        with folder.new_folder(base, numbered=out is None) as run, _saying_how_to_go_on(run):
            begun_with = {"data_dir": str(data_dir.absolute()), "checkpoint_every": every}
            config = record.describe(settings, record.fingerprint(data), every_engine) | {"unfinished": begun_with}
            record.write_config(run, config)
            trained = train_and_draw(run, config, every_engine, data, data_dir, every, interrupts)
    report(settings, trained)
    say_written(run)


def resume(args: argparse.Namespace) -> None:
    """Resume the run in a folder; whatever else the command line says must agree with the run."""
    run = args.resume
    check_no_contradiction(args, Settings.of_config(record.load_config(run, unfinished=True)))
    with Interrupts() as interrupts, folder.held(run), _saying_how_to_go_on(run):
        config = record.load_config(run, unfinished=True)  # as the process before left it
        settings, begun_with = Settings.of_config(config), config.get("unfinished", {})
        data_dir = argument_types.data_dir(args.data_dir or begun_with.get("data_dir"))
        try:
            every_engine, on_device, data = prepare(settings, data_dir)
        except UsageError as error:  # the run's settings ask for it, not the command line
            raise Failure(f"{shown(run / record.CONFIG)}: {error}") from None
        if record.fingerprint(data) != config["data"]:
            raise Failure(f"{shown(run)} began with other data of {settings.task} than {shown(data_dir)} holds now")
        for engine in every_engine:
            if engine.name == "torch" and args.device is None:
                engine.reason = "where the run began"
        if begun_with:
            note_threads(config["threads"], record.threads(on_device, every_engine))
        every = args.checkpoint_every or begun_with.get("checkpoint_every")
        trained = train_and_draw(run, config, every_engine, data, data_dir, every, interrupts)
    report(settings, trained)
    if begun_with:
        say_written(run)
    else:
        print(f"The run was finished; its figures in {shown(run)} were drawn again")


def check_no_contradiction(args: argparse.Namespace, settings: Settings) -> None:
    """Raise ``UsageError`` if the command line contradicts the run."""
    for name in ("task", "engine", *RECIPE):
        asked, has = getattr(args, name), getattr(settings, name)
        if asked is not None and asked != has:
            option = "TASK" if name == "task" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} {asked} contradicts --resume {shown(args.resume)}, a run with {has}; leave it out"
            )
    if args.out is not None and args.out.resolve() != args.resume.resolve():
        words = f"--out {shown(args.out)} contradicts --resume {shown(args.resume)}"
        raise UsageError(f"{words}: a run continues in its own folder")


def note_threads(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]]) -> None:
    """Note on standard error if an engine has other numbers of threads than when the run began."""
    for engine in sorted(set(before) & set(now)):
        if before[engine] != now[engine]:
            counts = [
                " and ".join(f"{count} ({which})" for which, count in one[engine].items()) for one in (before, now)
            ]
            print(
                f"backprop train: note: {engine} began on {counts[0]} threads and continues on {counts[1]}; "
                "the last bits may differ",
                file=sys.stderr,
            )


def prepare(settings: Settings, data_dir: Path) -> tuple[list[Engine], Settings, Data]:
    """Return the engines, the settings with the device that was found, and the data; nothing is written before that.

    Raises
    ------
    UsageError, Failure
        If the run is not possible like this.
    """
    every_engine = get_engines(settings)
    if settings.engine == BOTH:
        engines.draw_alike()
    settings = replace(settings, device=every_engine[-1].device)  # "auto" means the same when the run goes on
    task = tasks.get(settings.task)
    data = task.load(data_dir)
    check_batches(settings, task, data)

    from benchmarks import figures  # noqa: F401 - what is missing is missed now, not after the training

    return every_engine, settings, data


def train_and_draw(
    run: Path,
    config: dict,
    every_engine: list[Engine],
    data: Data,
    data_dir: Path,
    every: int | None,
    interrupts: Interrupts,
) -> list[Trained]:
    """Train in each engine, or load what it trained, make that a finished run, and draw its figures."""
    from benchmarks import figures
    from benchmarks.commands import run_tables

    settings, trained = Settings.of_config(config), []
    with run_tables.progress_bars(settings.epochs, math.ceil(len(data.x_train) / settings.batch_size)) as add_bar:
        for engine in every_engine:
            part = folder.part(run, engine.name, settings.engine)
            on_step = None if folder.is_finished(part) else add_bar(engine.name)  # no bar where nothing trains
            trained.append(train_or_load(run, config, engine, data, data_dir, on_step, every, interrupts))
    finish(run, config)
    figures.draw(run, tasks.get(settings.task), data, trained)
    return trained


@contextlib.contextmanager
def _saying_how_to_go_on(run: Path) -> Iterator[None]:
    try:
        yield
    except Interrupted as stop:
        if folder.is_resumable(run):
            raise Interrupted(stop.number, f"interrupted; {folder.how_to_resume(run)}") from None
        raise


def report(settings: Settings, trained: list[Trained]) -> None:
    """Show the tables."""
    from benchmarks.commands import run_tables
    from benchmarks.runs import drift
    from benchmarks.tables import console

    task: Task = tasks.get(settings.task)
    histories = {one.engine.name: one.history for one in trained}
    screen = console()
    for one in trained:
        screen.print(f"{one.engine.name} computed on {one.engine.device}: {one.engine.reason}")
    screen.print(run_tables.epochs_table(histories))
    recipe = Settings.of_recipe(task, settings.engine)
    by_recipe = all(getattr(settings, name) == getattr(recipe, name) for name in HYPERPARAMETERS)
    screen.print(run_tables.summary_table(histories, task.accuracy if by_recipe else None))
    if len(histories) > 1:
        losses = [history["step_loss"] for history in histories.values()]
        screen.print(run_tables.drift_table([(settings, drift.between(*losses))]))


def say_written(run: Path) -> None:
    """Say where the run was written."""
    from benchmarks.tables import console

    names = ", ".join(shown(name) for name in sorted(path.name for path in run.iterdir()))
    console().print(f"Written to {shown(run)}: {names}", soft_wrap=True)
