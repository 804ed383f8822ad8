"""The course: one lesson per file. Its docstring is the lesson, and its ``run`` shows it in either engine or in both.

A lesson is a module with one function:

    run(board)    compute in ``board.engines()``, and leave text, tables and figures on the board (see `Blackboard`)

Its docstring has the parts that `benchmarks.lessons.support.text` names, so that a lesson can be shown elsewhere.
"""

import importlib
from types import ModuleType

from benchmarks.errors import UsageError
from benchmarks.lessons.support.blackboard import Blackboard
from benchmarks.lessons.support.text import Text, parse

__all__ = ["NAMES", "Blackboard", "Text", "get", "teach", "text"]

NAMES = (
    "neuron",
    "mlp",
    "graph",
    "activations",
    "regularization",
    "normalization",
    "convolution",
    "speed",
    "sequence",
    "policy",
    "atari",
    "world-model",
)


def get(name: str) -> ModuleType:
    """Return a lesson by its name on the command line.

    Raises
    ------
    UsageError
        If there is no lesson of this name.
    """
    if name not in NAMES:
        raise UsageError(f"unknown lesson {name!r}; choose from {', '.join(NAMES)}, all")
    return importlib.import_module(f"benchmarks.lessons.{name.replace('-', '_')}")


def text(name: str) -> Text:
    """Return a lesson's text in parts."""
    return parse(get(name).__doc__)


def teach(name: str, board: Blackboard) -> None:
    """Put a lesson on the board: its text, then what it computes."""
    import matplotlib
    import numpy as np

    from benchmarks.figures import style

    lesson = get(name)
    board.write(f"== {name} ==\n\n{lesson.__doc__.strip()}")
    # Some lessons let training diverge. Infinities and NaN are meant there, and NumPy should be as silent as PyTorch.
    with matplotlib.rc_context(style.RC), np.errstate(all="ignore"), board.running():
        lesson.run(board)
