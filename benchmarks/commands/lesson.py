"""``backprop lesson``: run a lesson of the course, or all of them."""

import argparse
from pathlib import Path

from benchmarks import engines, files, lessons
from benchmarks.commands import argument_types
from benchmarks.errors import UsageError, quoted
from benchmarks.runs import folder
from benchmarks.runs.interrupts import Interrupts
from benchmarks.runs.settings import BOTH

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
    parser.add_argument("--engine", choices=(*engines.EVERY, BOTH), default=BOTH, help="default: both")
    parser.add_argument("--seed", type=argument_types.seed, default=0, help="seed of every random draw (default: 0)")
    parser.add_argument(
        "--out", type=argument_types.path, help="folder of the figures (default: a new one, ./runs/lessons)"
    )
    argument_types.add_data_dir(parser)


def run(args: argparse.Namespace) -> int:
    """Teach one lesson, or the course."""
    if args.name not in (*lessons.NAMES, "all"):
        raise UsageError(f"unknown lesson {quoted(args.name)}; choose from {', '.join(lessons.NAMES)}, all")
    if args.seed >= LAST_SEED:
        raise UsageError(f"--seed: a lesson that trains several times counts up from it; choose one below {LAST_SEED}")
    names = lessons.NAMES if args.name == "all" else (args.name,)
    if args.out is not None:
        check_new_figures(args.out, names)
    engine_names = engines.NAMES if args.engine == BOTH else (args.engine,)
    if args.engine == BOTH:
        engines.draw_alike()
    with Interrupts(), folder.making(args.out or Path("runs", "lessons"), numbered=args.out is None) as out:
        board = lessons.Blackboard(engine_names, args.seed, out, argument_types.data_dir(args.data_dir))
        for name in names:
            lessons.teach(name, board)
    return 0


def check_new_figures(out: Path, names: tuple[str, ...]) -> None:
    """Raise ``Failure`` if a figure's name may be taken: each begins with the lesson's, its hyphens as underscores."""
    for name in names:
        for path in sorted(out.glob(f"{name.replace('-', '_')}*.png")):
            files.check_new(path)
