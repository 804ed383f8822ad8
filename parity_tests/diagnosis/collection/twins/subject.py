"""A subject, which is a right layer and how it is called, and its wrong twins.

``words`` are what the report may say of the mistake: each sentence that it prints has to contain one of them, unless it
only describes the numbers. For a mistake in backward, the line of the replacement is the first wrong line.
"""

from dataclasses import dataclass, field

X = [(5, 3)]
"""The input of most subjects."""
AVERAGED = ("averaged instead of summed", "means over the examples")
"""What may be said where the examples' gradients are not added up."""


@dataclass(frozen=True)
class Twin:
    """A mistake: ``right`` replaced by ``wrong``, and what may be said of it."""

    right: str
    wrong: str
    words: tuple[str, ...]
    line: bool = True


@dataclass(frozen=True)
class Subject:
    """A right layer: its file, its name, the request's options, how many arrays it learns, and its wrong twins."""

    file: str
    names: str
    options: dict = field(default_factory=dict)
    learns: int = 0
    twins: tuple[Twin, ...] = ()
