"""``backprop bench``: how fast scratch is, as a ratio to other engines on the same cores."""

import argparse
from pathlib import Path

from benchmarks.commands import argument_types
from benchmarks.errors import UsageError, quoted, shown
from benchmarks.speed.results import NAMES

RIVALS = ("plain", "torch", "torch-channels-last", "torch-compile", "jax")
DEFAULT_RIVALS = {
    "layers": ("plain", "torch"),
    "steps": ("plain", "torch", "torch-channels-last"),
    "scaling": ("torch",),
}
EXAMPLES = """\
benchmarks:
  layers    forward and backward of each layer, with the share of the machine's measured matrix-product rate
  steps     whole training steps of SmallCNN and of the MLP, in float32 and float64
  scaling   SmallCNN's step per image, batch 32 to 1024
  train     five epochs of MNIST with evaluation, each contender in a process of its own: seconds and peak memory
  memory    the same for one epoch, and the ratio of the peaks

Every number is a ratio or a time measured in turns in one process: medians over the rounds, and over a few processes,
between which times differ more than between rounds. Results are written to OUT/NAME.json with the machine and the
versions, and drawn beside them; no file is overwritten. plain is scratch without its kernels.

examples:
  backprop bench
  backprop bench steps --engine-b torch --engine-b torch-compile
  backprop bench layers --compare benchmarks/results/layers.json --out /tmp/new
  backprop bench train --data-dir ~/data --epochs 5 --repeats 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the argument_types."""
    parser.epilog = EXAMPLES
    parser.add_argument("names", metavar="BENCHMARK", nargs="*", help=f"{', '.join(NAMES)} (all)")
    parser.add_argument("--engine-b", action="append", choices=RIVALS, help="what scratch is held against (torch)")
    parser.add_argument(
        "--rounds", type=argument_types.count, default=15, metavar="N", help="turns for each contender (15)"
    )
    parser.add_argument(
        "--threads", type=argument_types.count, metavar="N", help="threads for each contender (the cores)"
    )
    parser.add_argument("--epochs", type=argument_types.count, default=5, metavar="N", help="train: epochs (5)")
    parser.add_argument(
        "--repeats", type=argument_types.count, metavar="N", help="processes for each (3; train, memory: 1)"
    )
    parser.add_argument(
        "--data-dir",
        type=argument_types.path,
        metavar="DIR",
        help="train: folder of the data sets (BACKPROP_DATA, or ./data)",
    )
    parser.add_argument(
        "--compare", type=argument_types.path, metavar="OLD.json", help="show what changed since an earlier result"
    )
    parser.add_argument("--out", type=argument_types.path, help="folder (a new one, ./runs/bench)")


def run(args: argparse.Namespace) -> int:
    """Measure, show, write and draw."""
    names = args.names or list(NAMES)
    for name in names:
        if name not in NAMES:
            raise UsageError(f"unknown benchmark {quoted(name)}; choose from {', '.join(NAMES)}")
    if args.compare is not None and len(names) != 1:
        raise UsageError("--compare needs the one benchmark that the earlier result is of")
    if "layers" in names and args.engine_b == ["jax"]:
        raise UsageError("--engine-b jax: its networks are timed as whole steps; choose steps or scaling")

    from benchmarks import files
    from benchmarks.runs import folder
    from benchmarks.runs.interrupts import Interrupts
    from benchmarks.speed import contenders, report, results

    # What can fail fails now, not after an hour.
    old = None if args.compare is None else results.read(args.compare)
    if old is not None and old["benchmark"] != names[0]:
        raise UsageError(f"--compare {shown(args.compare)} is a result of {old['benchmark']}, not of {names[0]}")
    for rival in args.engine_b or ():
        contenders.require(rival)
    if {"train", "memory"} & set(names):
        from benchmarks import tasks

        tasks.get("mnist").load(argument_types.data_dir(args.data_dir))
    with Interrupts(), folder.making(args.out or Path("runs", "bench"), numbered=args.out is None) as out:
        for name in names:
            for file in (f"{name}.json", *report.picture_names(name)):
                files.check_new(out / file)
        for name in names:
            measure_and_show(name, args, old, out)
    return 0


def measure_and_show(name: str, args: argparse.Namespace, old: dict | None, out: Path) -> None:
    """Run one benchmark, and show, write and draw what it gives."""
    from benchmarks import environment
    from benchmarks.speed import machine, report, results
    from benchmarks.tables import console

    screen, threads = console(), args.threads or environment.cores()
    rows = measure(name, args, threads)
    described = machine.describe(threads)
    for line in machine.lines(described):
        screen.print(line)
    rates = {dtype: machine.rates(dtype) for dtype in ("float32", "float64")} if name == "layers" else {}
    described["rates"] = rates
    report.show(screen, name, rows, rates)
    if old is not None:
        report.show_changes(screen, results.changes(old, rows))
    path = results.write(out, name, described, rows)
    pictures = report.draw(out, name, rows, rates)
    screen.print("Written to " + ", ".join(shown(file) for file in (path, *pictures)), soft_wrap=True)


def measure(name: str, args: argparse.Namespace, threads: int) -> list[dict]:
    """Run one benchmark."""
    from benchmarks.speed import benches

    if name == "train":
        return benches.train(argument_types.data_dir(args.data_dir), args.epochs, args.repeats or 1, threads)
    if name == "memory":
        return benches.memory(argument_types.data_dir(args.data_dir), args.repeats or 1, threads)
    rivals = list(args.engine_b or DEFAULT_RIVALS[name])
    return benches.repeat(getattr(benches, name), args.repeats or 3, rivals, args.rounds, threads)
