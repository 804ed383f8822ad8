"""``backprop drift``: how far apart the losses of a run's two engines are, over one run or several."""

import argparse
from pathlib import Path

from benchmarks import tasks
from benchmarks.errors import Failure, UsageError
from benchmarks.runs import folder as runs
from benchmarks.runs.training import Settings

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
    parser.add_argument("folders", metavar="RUN", type=Path, nargs="+", help="folder of a finished run of both engines")
    parser.add_argument("--out", type=Path, metavar="PNG", help="figure to write (none)")


def run(args: argparse.Namespace) -> int:
    """Compare the engines of every run."""
    from benchmarks.commands import tables as screen
    from benchmarks.runs import drift

    rows, by_dtype, names = [], {}, []
    for folder in args.folders:
        settings = Settings.of_config(runs.load_config(folder))
        if settings.engine != "both":
            raise UsageError(f"{folder} is a run of {settings.engine} alone; expected one of both engines")
        losses = [runs.load(runs.part(folder, name, "both"))[1]["step_loss"] for name in settings.engines()]
        try:
            one = drift.between(*losses)
        except ValueError as error:
            raise Failure(f"{folder} is damaged: {error}") from None
        rows.append((settings, one))
        by_dtype.setdefault(settings.dtype, []).append(one)
        names.append(tasks.get(settings.task).title)
    screen.console().print(screen.drift_table(rows))
    if args.out is not None:
        import matplotlib

        from benchmarks.figures import style
        from benchmarks.figures.drift import drift as draw

        with matplotlib.rc_context(style.RC):
            title = f"{', '.join(dict.fromkeys(names))}: two engines, one seed, nothing copied"
            style.save(draw(title, by_dtype), args.out)
        print(f"Written to {args.out}")
    return 0
