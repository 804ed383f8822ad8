"""``backprop drift``: how far apart the losses of a run's two engines are, over one run or several."""

import argparse

from benchmarks import files, tasks
from benchmarks.commands import argument_types
from benchmarks.errors import Failure, UsageError, shown
from benchmarks.runs import folder, record
from benchmarks.runs.settings import BOTH, Settings

EXAMPLES = """\
Each RUN is a folder that `backprop train TASK --engine both` wrote. In such a run the engines share the seed and
nothing else; the differences between their losses are rounding, and what training makes of it.

examples:
  backprop train mnist --epochs 1 --out runs/32
  backprop train mnist --epochs 1 --dtype float64 --out runs/64
  backprop drift runs/32 runs/64 --out drift.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "folders", metavar="RUN", type=argument_types.path, nargs="+", help="folder of a finished run of both engines"
    )
    parser.add_argument("--out", type=argument_types.path, metavar="PNG", help="figure to write, a new file (none)")


def run(args: argparse.Namespace) -> int:
    """Compare the engines of every run."""
    if args.out is not None:
        files.check_new(args.out)

    from benchmarks.commands import run_tables
    from benchmarks.runs import drift
    from benchmarks.tables import console

    rows, by_dtype, names = [], {}, []
    for run in args.folders:
        settings = Settings.of_config(record.load_config(run))
        if settings.engine != BOTH:
            raise UsageError(f"{shown(run)} is a run of {settings.engine} alone; expected one of both engines")
        losses = [record.load_history(folder.part(run, name, BOTH))["step_loss"] for name in settings.engines()]
        try:
            one = drift.between(*losses)
        except ValueError as error:
            raise Failure(f"{shown(run)} is damaged: {error}") from None
        rows.append((settings, one))
        by_dtype.setdefault(settings.dtype, []).append(one)
        names.append(tasks.get(settings.task).title)
    console().print(run_tables.drift_table(rows))
    if args.out is not None:
        import matplotlib

        from benchmarks.figures import style
        from benchmarks.figures.drift import drift as draw

        with matplotlib.rc_context(style.RC):
            title = f"{', '.join(dict.fromkeys(names))}: two engines, one seed, nothing copied"
            style.save_new(draw(title, by_dtype), args.out)
        print(f"Written to {shown(args.out)}")
    return 0
