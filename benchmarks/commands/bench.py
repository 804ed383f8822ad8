"""``backprop bench``: how fast scratch is, as a ratio to other engines on the same cores, and why."""

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
EXPLAINED = ("layers", "steps")
EXAMPLES = """\
benchmarks:
  layers    forward and backward of each layer, with the share of the machine's measured matrix-product rate
  steps     whole training steps of SmallCNN and of the MLP, in float32 and float64
  scaling   SmallCNN's step per image, batch 32 to 1024
  train     five epochs of MNIST with evaluation, each contender in a process of its own: seconds and peak memory
  memory    the same for one epoch, and the ratio of the peaks

Every number is a ratio or a time, measured in turns in one process. It is the median over the rounds, and over a few
processes, because times differ more between processes than between rounds. Results are written to OUT/NAME.json with
the machine and the versions, and drawn beside them; where OUT ends in .json, all of them go to that one file. No file
is overwritten. plain is scratch without its kernels.

--why shows where each row's time goes: the bytes moved and the multiplications done by each function, by each statement
of the plain functions, and by each of PyTorch's operators, next to what the machine can do. --threads 1,2,4 measures
with each number of threads. --compare shows results of several machines in one table; without a benchmark it measures
nothing.

examples:
  backprop bench
  backprop bench steps --engine-b torch --engine-b torch-compile
  backprop bench layers --why
  backprop bench steps --threads 1,2
  backprop bench layers steps --out mine.json
  backprop bench --compare mine.json yours.json
  backprop bench layers --compare benchmarks/results/layers.json --out /tmp/new
  backprop bench train --data-dir ~/data --epochs 5 --repeats 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("names", metavar="BENCHMARK", nargs="*", help=f"{', '.join(NAMES)} (all)")
    parser.add_argument("--engine-b", action="append", choices=RIVALS, help="what scratch is compared with (torch)")
    parser.add_argument(
        "--rounds", type=argument_types.count, default=15, metavar="N", help="turns for each contender (15)"
    )
    parser.add_argument(
        "--threads",
        type=argument_types.counts,
        metavar="N[,N...]",
        help="threads for each contender, or several counts, to see how each scales (the cores)",
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
    parser.add_argument("--why", action="store_true", help="layers, steps: show where the time of each row goes")
    parser.add_argument(
        "--compare",
        type=argument_types.path,
        nargs="+",
        metavar="FILE.json",
        help="show results in one table, with those measured now beside them",
    )
    parser.add_argument(
        "--out", type=argument_types.path, help="folder, or a file FILE.json (a new folder, ./runs/bench)"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, show, write and draw; or only compare."""
    names = chosen(args)

    from benchmarks import environment, files
    from benchmarks.runs import folder
    from benchmarks.runs.interrupts import Interrupts
    from benchmarks.speed import compare, contenders, report, results
    from benchmarks.tables import console

    threads, cores = args.threads or [environment.cores()], environment.cores()
    if max(threads) > cores:
        raise UsageError(f"--threads {max(threads)}: this process may use {cores} cores")
    # What can fail fails now, not after an hour.
    old = compare.read(args.compare or [], names)
    if not names:
        compare.show(console(), old)
        return 0
    for rival in args.engine_b or ():
        contenders.require(rival)
    if {"train", "memory"} & set(names):
        from benchmarks import tasks

        tasks.get("mnist").load(argument_types.data_dir(args.data_dir))
    with Interrupts():
        if is_file(args.out):
            files.check_new(args.out)
            measured = [measure_and_show(name, args, threads, old) for name in names]
            every = [row for _, rows in measured for row in rows]
            rates = {dtype: rate for machine, _ in measured for dtype, rate in machine.get("rates", {}).items()}
            path = results.write(args.out, {**measured[0][0], **({"rates": rates} if rates else {})}, every)
            console().print(f"Written to {shown(path)}", soft_wrap=True)
            return 0
        with folder.making(args.out or Path("runs", "bench"), numbered=args.out is None) as out:
            drawn = {name: report.picture_names(name) if len(threads) == 1 else () for name in names}
            for name in names:
                for file in (f"{name}.json", *drawn[name]):
                    files.check_new(out / file)
            for name in names:
                machine, rows = measure_and_show(name, args, threads, old)
                path = results.write(out / f"{name}.json", machine, rows)
                pictures = report.draw(out, name, rows, machine.get("rates", {})) if drawn[name] else ()
                console().print("Written to " + ", ".join(shown(file) for file in (path, *pictures)), soft_wrap=True)
    return 0


def is_file(out: Path | None) -> bool:
    """Return whether results go into one file, not into a folder."""
    return out is not None and out.suffix == ".json"


def chosen(args: argparse.Namespace) -> list[str]:
    """Return the benchmarks to run, none if results are only compared; refuse options that do not fit together."""
    for name in args.names:
        if name not in NAMES:
            raise UsageError(f"unknown benchmark {quoted(name)}; choose from {', '.join(NAMES)}")
        if args.names.count(name) > 1:
            raise UsageError(f"expected each benchmark once, got {name} twice")
    compared = [str(path) for path in args.compare or ()]
    if len(set(compared)) < len(compared):
        twice = next(path for path in compared if compared.count(path) > 1)
        raise UsageError(f"--compare: expected each file once, got {shown(twice)} twice")
    if args.compare and not args.names and not args.why:
        given = {"--out": args.out, "--threads": args.threads, "--engine-b": args.engine_b, "--repeats": args.repeats}
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option}: nothing is measured by --compare without a benchmark; name one")
        if len(compared) < 2:
            raise UsageError("--compare needs two files or more, or a benchmark to measure beside one")
        return []
    names = args.names or list(EXPLAINED if args.why else NAMES)
    if args.why:
        for name in names:
            if name not in EXPLAINED:
                raise UsageError(f"--why: {name} cannot be split; choose from {', '.join(EXPLAINED)}")
        if args.threads and len(args.threads) > 1:
            raise UsageError("--why explains one number of threads at a time; give --threads one")
    if "layers" in names and args.engine_b == ["jax"]:
        raise UsageError("--engine-b jax: its networks are timed as whole steps; choose steps or scaling")
    return names


def measure_and_show(
    name: str, args: argparse.Namespace, threads: list[int], old: list[tuple[str, dict]]
) -> tuple[dict, list[dict]]:
    """Run one benchmark and show what it gives; return the machine and the rows."""
    from benchmarks.speed import compare, machine, report
    from benchmarks.tables import console

    screen, described, rows = console(), machine.describe(threads), []
    for number in threads:
        measured = measure(name, args, number, apart=len(threads) > 1)
        rows += [{"benchmark": name, "threads": number, **row} for row in measured]
    for line in machine.lines(described):
        screen.print(line)
    if len(threads) > 1:
        report.show_threads(screen, name, rows)
    else:
        if name == "layers":
            described["rates"] = {dtype: machine.rates(dtype, threads[0]) for dtype in ("float32", "float64")}
        report.show(screen, name, rows, described.get("rates", {}))
    if args.why:
        explain(screen, name, args.rounds, threads[0])
    if old:
        compare.show(screen, [*old, ("measured now", {"machine": described, "rows": rows})])
    return described, rows


def explain(screen: object, name: str, rounds: int, threads: int) -> None:
    """Show where the time of each of a benchmark's rows goes."""
    from benchmarks.speed import benches, work
    from benchmarks.speed.why import explain, report
    from benchmarks.speed.why.rates import Rates

    rates = Rates(threads)
    for dtype in benches.DTYPES:
        for row in work.layers() if name == "layers" else (work.cnn_step(), work.mlp_step()):
            report.show(screen, explain.explain(row, dtype, rounds, threads), rates)
    screen.print(report.LEGEND, soft_wrap=True)


def measure(name: str, args: argparse.Namespace, threads: int, apart: bool) -> list[dict]:
    """Run one benchmark with ``threads`` threads, and never in this process if it is to be ``apart``."""
    from benchmarks.speed import benches
    from benchmarks.speed.progress import progress

    if name == "train":
        return benches.train(argument_types.data_dir(args.data_dir), args.epochs, args.repeats or 1, threads)
    if name == "memory":
        return benches.memory(argument_types.data_dir(args.data_dir), args.repeats or 1, threads)
    rivals = list(args.engine_b or DEFAULT_RIVALS[name])
    bench, repeats, begin = getattr(benches, name), args.repeats or 3, threads if apart else 0
    with progress(name, repeats) as on_row:
        return benches.repeat(bench, repeats, rivals, args.rounds, threads, threads=begin, on_row=on_row)
