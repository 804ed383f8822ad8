"""``backprop lesson``: run a lesson of the course, or all of them."""

import argparse
from pathlib import Path

from benchmarks import engines, lessons
from benchmarks.commands import argument_types as options
from benchmarks.errors import UsageError

LAST_SEED = 2**63

EXAMPLES = """\
examples:
  backprop lesson neuron
  backprop lesson regularization --engine scratch --seed 3
  backprop lesson convolution --data-dir data     (MNIST's images instead of the bundled digits)
  backprop lesson all --out runs/course
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = f"lessons: {', '.join(lessons.NAMES)}, all\n\n{EXAMPLES}"
    parser.add_argument("name", metavar="NAME", help="the lesson, or all")
    parser.add_argument("--engine", choices=(*engines.NAMES, "both"), default="both", help="default: both")
    parser.add_argument("--seed", type=options.seed, default=0, help="of every random draw (default: 0)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/lessons"), help="folder of the figures, which are replaced"
    )
    parser.add_argument("--data-dir", help="folder of the data sets (default: BACKPROP_DATA, or ./data)")


def run(args: argparse.Namespace) -> int:
    """Teach one lesson, or the course."""
    if args.name not in (*lessons.NAMES, "all"):
        raise UsageError(f"unknown lesson {args.name!r}; choose from {', '.join(lessons.NAMES)}, all")
    if args.seed >= LAST_SEED:
        raise UsageError(f"--seed: a lesson that trains several times counts on from it; choose one below {LAST_SEED}")
    engine_names = engines.NAMES if args.engine == "both" else (args.engine,)
    board = lessons.Blackboard(engine_names, args.seed, args.out, options.data_dir(args.data_dir))
    for name in lessons.NAMES if args.name == "all" else (args.name,):
        lessons.teach(name, board)
    return 0
