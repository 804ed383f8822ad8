"""What is said about a learner's file, in lines that fit a terminal of 80 columns."""

import textwrap
from dataclasses import asdict, dataclass, field

import numpy as np

WIDTH = 79
SOLVED, BLANK, WRONG, BROKEN = "solved", "blank", "wrong", "broken"


@dataclass
class Verdict:
    """The result of grading.

    Attributes
    ----------
    status : str
        "solved"; "blank" if something is still to be written; "wrong"; "broken" if the code does not run.
    lines : list of pair of str
        A style ("", "good", "bad", "code", "dim") and a text each.
    right : list of str
        The names that are computed correctly so far.
    """

    status: str
    lines: list[tuple[str, str]] = field(default_factory=list)
    right: list[str] = field(default_factory=list)

    def say(self, text: str = "", style: str = "", indent: str = "  ") -> "Verdict":
        """Add a paragraph."""
        wrapped = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent) or [""]
        self.lines += [(style, line) for line in wrapped]
        return self

    def show(self, lines: list[str], style: str = "code") -> "Verdict":
        """Add lines as they are, cut off if they are too long."""
        self.lines += [(style, line if len(line) <= WIDTH else line[: WIDTH - 1] + "…") for line in lines]
        return self

    @property
    def text(self) -> str:
        """The lines without their styles."""
        return "\n".join(line for _, line in self.lines)

    def as_json(self) -> dict:
        """Return what `json.dumps` takes."""
        return asdict(self)


def numbers(value: object) -> list[str]:
    """Return an array as it is printed, at most a few lines of it."""
    if not isinstance(value, (np.ndarray, float, int, np.generic)):
        return [f"{type(value).__name__}: {value!r}"[:60]]
    if not isinstance(value, np.ndarray):
        return [f"{value:.5g}"]
    look = {"precision": 3, "suppress_small": True, "threshold": 24, "edgeitems": 2, "max_line_width": 60}
    lines = np.array2string(value, **look).splitlines()
    return lines if len(lines) <= 4 else [*lines[:3], "..."]


def listed(names: list[str]) -> str:
    """Return names as a sentence lists them: "x, weight and bias"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
