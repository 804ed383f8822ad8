"""``backprop demo``: the whole project in a minute."""

import argparse
from pathlib import Path

from benchmarks import tasks
from benchmarks.commands import argument_types as options
from benchmarks.commands.train import train_and_report
from benchmarks.runs import folder as runs
from benchmarks.runs.training import Settings

EPILOG = """\
The SmallCNN learns scikit-learn's handwritten digits in both engines, one after the other, from the same seed: the same
initial weights and the same order of batches. It needs no download and takes less than a minute on two cores.
It is `backprop train digits --engine both`, with a folder name of its own.

example:
  backprop demo --out runs/first
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EPILOG
    parser.add_argument("--out", type=Path, metavar="RUN", help="folder to write (a new one under ./runs)")


def run(args: argparse.Namespace) -> int:
    """Train the digits in both engines."""
    out = args.out or runs.free_folder(Path("runs", "demo"))
    train_and_report(Settings.of_recipe(tasks.get("digits"), "both"), options.data_dir(None), out)
    return 0
