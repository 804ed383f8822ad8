"""``backprop train``: a task's network, trained by one engine or by both."""

import argparse
import math
from pathlib import Path

from benchmarks import engines, options, runs, tasks
from benchmarks.training import Settings, check_batches, get_engines, save, train

EXAMPLES = """\
examples:
  backprop train moons --engine both
  backprop train digits --engine scratch --epochs 10 --seed 3
  backprop train mnist --engine both --out runs/mnist
  backprop train fashion-mnist --engine torch --device cuda --data-dir ~/data

A default in parentheses is what the task's recipe says. Where both engines run, each runs its own loop, one after the
other, and --device is the torch engine's.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("task", metavar="TASK", choices=tasks.NAMES, help=", ".join(tasks.NAMES))
    parser.add_argument("--engine", choices=(*engines.NAMES, "both"), default="both", help="which engine trains (both)")
    number = {"type": options.count, "metavar": "N"}
    parser.add_argument("--epochs", **number, help="passes over the training set (recipe)")
    parser.add_argument("--batch-size", **number, help="rows in each step (recipe)")
    parser.add_argument("--lr", type=options.non_negative, metavar="X", help="Adam's learning rate (recipe)")
    parser.add_argument("--weight-decay", type=options.non_negative, metavar="X", help="L2 weight decay (recipe)")
    parser.add_argument("--dropout", type=options.probability, metavar="P", help="dropout's probability (recipe)")
    parser.add_argument("--seed", type=options.seed, metavar="N", help="seed of weights, order and dropout (0)")
    parser.add_argument("--dtype", choices=engines.DTYPES, help="floating-point type (float32)")
    parser.add_argument("--device", type=options.device, help="cpu, cuda, cuda:N or mps (cpu)")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of the data sets (BACKPROP_DATA, or ./data)")
    parser.add_argument("--out", type=Path, metavar="RUN", help="folder to write (a new one under ./runs)")


def run(args: argparse.Namespace) -> int:
    """Train, and write the run."""
    recipe = ("epochs", "batch_size", "lr", "weight_decay", "dropout", "seed", "dtype", "device")
    changes = {name: getattr(args, name) for name in recipe}
    settings = Settings.of_recipe(tasks.get(args.task), args.engine, **changes)
    train_and_report(settings, options.data_dir(args.data_dir), args.out)
    return 0


def train_and_report(settings: Settings, data_dir: Path, out: Path | None) -> Path:
    """Train in each engine, write the run's folder, show the tables; return the folder."""
    task = tasks.get(settings.task)
    out = out or runs.free_folder(Path("runs", f"{settings.task}-{settings.engine}"))
    with runs.new_folder(out):
        every_engine = get_engines(settings)
        data = task.load(data_dir)
        check_batches(settings, task, data)

        from benchmarks import drift, figures, screen

        trained = []
        with screen.progress_bars(settings.epochs, math.ceil(len(data.x_train) / settings.batch_size)) as add_bar:
            for engine in every_engine:
                trained.append(train(settings, engine, data, add_bar(engine.name)))
        save(out, settings, trained)
    figures.draw(out, task, data, trained)
    histories = {one.engine.name: one.history for one in trained}
    console = screen.console()
    console.print(screen.epochs_table(histories))
    console.print(screen.summary_table(histories, task.accuracy))
    if len(histories) > 1:
        losses = [history["step_loss"] for history in histories.values()]
        console.print(screen.drift_table([(settings, drift.between(*losses))]))
    console.print(f"Written to {out}: " + ", ".join(sorted(path.name for path in out.iterdir())), soft_wrap=True)
    return out
