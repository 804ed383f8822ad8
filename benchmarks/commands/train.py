"""``backprop train``: a task's network, trained by one engine or by both."""

import argparse
import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import engines, tasks
from benchmarks.commands import argument_types as options
from benchmarks.errors import Interrupted, UsageError
from benchmarks.runs import folder as runs
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.training import Settings, Trained, check_batches, finish, get_engines, train_or_load
from benchmarks.tasks import Task

EXAMPLES = """\
examples:
  backprop train moons --engine both
  backprop train digits --engine scratch --epochs 10 --seed 3
  backprop train mnist --engine both --out runs/mnist
  backprop train fashion-mnist --engine torch --device cuda --data-dir ~/data
  backprop train mnist --engine torch --device cuda --precision bf16 --compile
  backprop train mnist --engine torch --processes 2
  backprop train mnist --checkpoint-every 100 --out runs/long
  backprop train --resume runs/long

A default in parentheses is what the task's recipe says. Where both engines run, each runs its own loop, one after the
other, and --device is the torch engine's: by default CUDA if there is a device, else an Apple GPU, else the CPU.

--precision and --compile, either or both, let the torch engine take the loop made for accelerators: images on the
device as bytes, channels-last, and on CUDA the whole step as one graph, which is set up before the first epoch. fp32
rounds nothing that float32 would not; tf32 and bf16 are for devices that have them.

--processes divides every batch of the torch engine among so many processes, on the CPU or on as many CUDA devices. The
result is that of one process but for rounding, dropout's masks, and, on the CPU, batch norm, which sees a process's
share of the batch alone.

Ctrl-C and SIGTERM end a run after the step under way, with a checkpoint; --checkpoint-every saves one every so many
steps too, for a run that may be killed. A resumed run takes everything from its folder, and on a CPU gives what it
would have given uninterrupted, bit for bit. Resuming a finished run draws its figures again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("task", metavar="TASK", nargs="?", choices=tasks.NAMES, help=", ".join(tasks.NAMES))
    parser.add_argument("--engine", choices=(*engines.NAMES, "both"), help="which engine trains (both)")
    number = {"type": options.count, "metavar": "N"}
    parser.add_argument("--epochs", **number, help="passes over the training set (recipe)")
    parser.add_argument("--batch-size", **number, help="rows in each step (recipe)")
    parser.add_argument("--lr", type=options.non_negative, metavar="X", help="Adam's learning rate (recipe)")
    parser.add_argument("--weight-decay", type=options.non_negative, metavar="X", help="L2 weight decay (recipe)")
    parser.add_argument("--dropout", type=options.probability, metavar="P", help="dropout's probability (recipe)")
    parser.add_argument("--seed", type=options.seed, metavar="N", help="seed of weights, order and dropout (0)")
    parser.add_argument("--dtype", choices=engines.DTYPES, help="floating-point type (float32)")
    parser.add_argument("--device", type=options.device, help="auto, cpu, cuda, cuda:N or mps (auto)")
    parser.add_argument("--processes", **number, help="processes that share each batch of the torch engine (1)")
    parser.add_argument("--precision", choices=options.PRECISIONS, help="torch's products (float32's own)")
    parser.add_argument("--compile", action="store_true", default=None, help="hand torch's network to torch.compile")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data sets (BACKPROP_DATA, or ./data)")
    parser.add_argument("--out", type=Path, metavar="RUN", help="folder to write (a new one under ./runs)")
    parser.add_argument("--checkpoint-every", **number, help="steps between two checkpoints (none)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run, in its folder")


RECIPE = (
    *("epochs", "batch_size", "lr", "weight_decay", "dropout", "seed", "dtype", "device", "processes"),
    *("precision", "compile"),
)


def run(args: argparse.Namespace) -> int:
    """Train, or go on training, and write the run."""
    if args.resume is not None:
        resume(args)
        return 0
    if args.task is None:
        raise UsageError(f"expected a TASK ({', '.join(tasks.NAMES)}), or --resume RUN")
    changes = {name: getattr(args, name) for name in RECIPE} | {"device": args.device or "auto"}
    settings = Settings.of_recipe(tasks.get(args.task), args.engine or "both", **changes)
    train_and_report(settings, options.data_dir(args.data_dir), args.out, args.checkpoint_every)
    return 0


def resume(args: argparse.Namespace) -> None:
    """Go on with the run in a folder; whatever else the command line says must be what the run says."""
    config = runs.load_config(args.resume, unfinished=True)
    settings = Settings.of_config(config)
    for name in ("task", "engine", *RECIPE):
        asked, has = getattr(args, name), getattr(settings, name)
        if asked is not None and asked != has:
            option = "TASK" if name == "task" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {asked} contradicts --resume {args.resume}, a run with {has}; leave it out")
    if args.out is not None and args.out.resolve() != args.resume.resolve():
        raise UsageError(f"--out {args.out} contradicts --resume {args.resume}: a run goes on in its own folder")
    begun_with = config.get("unfinished", {})
    data_dir = options.data_dir(args.data_dir or begun_with.get("data_dir"))
    every = args.checkpoint_every or begun_with.get("checkpoint_every")
    train_and_report(settings, data_dir, args.resume, every, resuming=True)


def train_and_report(
    settings: Settings, data_dir: Path, out: Path | None, every: int | None = None, resuming: bool = False
) -> Path:
    """Train in each engine, write the run's folder, show the tables; return the folder."""
    task = tasks.get(settings.task)
    out = out or runs.free_folder(Path("runs", f"{settings.task}-{settings.engine}"))
    with interruptible(out) as interrupts, contextlib.nullcontext() if resuming else runs.new_folder(out):
        every_engine = get_engines(settings)
        settings = replace(settings, device=every_engine[-1].device)  # "auto" means the same when the run goes on
        data = task.load(data_dir)
        check_batches(settings, task, data)

        from benchmarks import figures
        from benchmarks.commands import tables as screen

        if not resuming:
            begun_with = {"data_dir": str(data_dir.absolute()), "checkpoint_every": every}
            config = runs.describe(settings.to_dict(), settings.command()) | {"unfinished": begun_with}
            runs.write_json(out / "config.json", config)
        trained = []
        with screen.progress_bars(settings.epochs, math.ceil(len(data.x_train) / settings.batch_size)) as add_bar:
            for engine in every_engine:
                on_step = add_bar(engine.name)
                trained.append(train_or_load(out, settings, engine, data, data_dir, on_step, every, interrupts))
        finish(out, settings)
        figures.draw(out, task, data, trained)
    report(out, task, settings, trained)
    return out


@contextlib.contextmanager
def interruptible(out: Path) -> Iterator[Interrupts]:
    """Handle signals; one that ends a run that can be resumed says how."""
    with Interrupts() as interrupts:
        try:
            yield interrupts
        except Interrupted as stop:
            if runs.is_resumable(out):
                raise Interrupted(stop.number, f"interrupted; {runs.how_to_resume(out)}") from None
            raise


def report(out: Path, task: Task, settings: Settings, trained: list[Trained]) -> None:
    """Show the tables, and where the run was written."""
    from benchmarks.commands import tables as screen
    from benchmarks.runs import drift

    histories = {one.engine.name: one.history for one in trained}
    console = screen.console()
    for one in trained:
        console.print(f"{one.engine.name} computed on {one.engine.device}: {one.engine.reason}")
    console.print(screen.epochs_table(histories))
    console.print(screen.summary_table(histories, task.accuracy))
    if len(histories) > 1:
        losses = [history["step_loss"] for history in histories.values()]
        console.print(screen.drift_table([(settings, drift.between(*losses))]))
    console.print(f"Written to {out}: " + ", ".join(sorted(path.name for path in out.iterdir())), soft_wrap=True)
