"""``backprop demo``: the whole project in a minute."""

import argparse

from benchmarks import engines, tasks
from benchmarks.commands import argument_types
from benchmarks.commands.train import begin
from benchmarks.runs.settings import BOTH, Settings

EPILOG = """\
The SmallCNN learns scikit-learn's handwritten digits in both engines, one after the other, from the same seed: the same
initial weights and the same order of batches. It needs no download and takes less than a minute on two cores.
It is `backprop train digits --engine both`, with a folder name of its own.

examples:
  backprop demo --out runs/first
  backprop demo --engine plain
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EPILOG
    parser.add_argument("--engine", choices=(*engines.EVERY, BOTH), default=BOTH, help="which engine trains (both)")
    parser.add_argument(
        "--out", type=argument_types.path, metavar="RUN", help="folder to write (a new one under ./runs)"
    )


def run(args: argparse.Namespace) -> int:
    """Train the digits."""
    begin(Settings.of_recipe(tasks.get("digits"), args.engine), argument_types.data_dir(None), args.out, name="demo")
    return 0
