"""The text of a lesson in parts: its module's docstring, cut at the words that all lessons' docstrings share.

A docstring consists of paragraphs separated by empty lines. The first is "Title: what the lesson is about." The last
ones are named by the words that they begin with, in this order:

    In reinforcement learning.   what of the lesson policies, critics, encoders and world models use
    Takeaways.                   what to keep in mind
    Next:                        where to go on
    Read:                        files, and in a line of its own, Run: the command
"""

from __future__ import annotations

import re
from typing import NamedTuple

ENDING = re.compile(
    r"In reinforcement learning\. (?P<in_rl>.+)\n\nTakeaways\. (?P<takeaways>.+)\n\nNext: (?P<next>.+)"
    r"\n\nRead: (?P<read>.+)\nRun:  (?P<run>.+)",
    re.DOTALL,
)


class Text(NamedTuple):
    """A lesson's text; paragraphs are separated by empty lines, and indented lines are formulas or tables."""

    title: str
    about: str
    body: str
    in_rl: str
    takeaways: str
    next: str
    read: str
    run: str


def parse(docstring: str) -> Text:
    """Cut a lesson's docstring into its parts.

    Raises
    ------
    ValueError
        If a part is missing.
    """
    docstring = docstring.strip()
    first, _, rest = docstring.partition("\n\n")
    title, colon, about = " ".join(first.split()).partition(": ")
    ending = ENDING.search(rest)
    if ending is None:
        raise ValueError(f"lesson {title!r}: expected it to end with the parts In reinforcement learning to Run")
    body = rest[: ending.start()].strip("\n")
    return Text(title if colon else title.removesuffix("."), about, body, **ending.groupdict())
