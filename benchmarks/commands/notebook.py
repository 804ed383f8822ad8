"""``backprop notebook``: the course as one Jupyter notebook."""

import argparse
from pathlib import Path

from benchmarks import files, notebook
from benchmarks.commands import argument_types
from benchmarks.errors import shown

EXAMPLES = """\
The notebook has the lessons' texts, and cells that run in the environment that this command runs in. A notebook that
this command wrote before is replaced, unless its cells were edited; nothing else is.

Needs the notebook extra: pip install '.[notebook]' in the project's folder.

examples:
  backprop notebook
  backprop notebook --out course/basic_deep_learning.ipynb
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--out",
        type=argument_types.path,
        default=Path("basic_deep_learning.ipynb"),
        metavar="FILE",
        help="file to write (default: basic_deep_learning.ipynb)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the notebook."""
    is_new = notebook.check_replaceable(args.out)
    notebook.require()
    content = notebook.build()
    if is_new:
        files.write_new(args.out, content)
    else:
        notebook.check_replaceable(args.out)  # it may have been edited meanwhile
        files.write_bytes(args.out, content)
    print(f"Written: {shown(args.out)}")
    return 0
