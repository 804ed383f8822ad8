"""``backprop pages``: the derivations, the code and the numbers side by side, as a site for the browser."""

import argparse
import time
from pathlib import Path

from benchmarks.commands import argument_types
from benchmarks.errors import Failure, shown

EXAMPLES = """\
The site works from the folder, offline: open index.html in a browser. It has a page for each file of layers, losses and
optimizers (the derivation beside the code, an example to step through forward and backward, the same in PyTorch, the
classic mistakes, the speed), a page for each lesson of the course, the museum, and a search.

DIR may be new, empty, or an earlier site, which is replaced once the new one is whole.

The lessons' figures are those of the README. `backprop lesson all --out runs/course` draws new ones, for
--figures runs/course.

Needs the pages extra: pip install '.[pages]' in the project's folder.

examples:
  backprop pages --out site
  backprop pages --out site --figures runs/course
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument("--out", type=argument_types.path, metavar="DIR", required=True, help="folder of the site")
    parser.add_argument("--figures", type=argument_types.path, metavar="DIR", help="folder of the lessons' figures")


def run(args: argparse.Namespace) -> int:
    """Write the site."""
    from benchmarks.pages import site
    from benchmarks.runs.interrupts import Interrupts

    figures = args.figures or (site.ASSETS if site.ASSETS.is_dir() else None)
    began = time.perf_counter()
    with Interrupts():
        try:
            count = site.write(args.out, figures)
        except OSError as error:
            raise Failure(f"cannot write to {shown(args.out)}: {error.strerror}; choose another --out") from None
    print(f"{count} pages in {time.perf_counter() - began:.0f} seconds: open {shown(args.out / Path('index.html'))}")
    return 0
