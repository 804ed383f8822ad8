"""The plain-text mathematics of docstrings, cut into numbers, names and signs."""

import re
from collections.abc import Iterator
from typing import NamedTuple

INDEX = r"(?:\([^()\s]*\)|[A-Za-z0-9]+)"
TOKEN = re.compile(
    r"(?P<rate>d[A-Z]/d[A-Za-z]\w*|d[a-z]_\w+/d[A-Za-z]\w*)"
    rf"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)(?![A-Za-z_]\w)"
    rf"|(?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*'*)(?P<index>(?:_\([^()\s]*\))?(?:,{INDEX}(?=[,\s)\]]|$))*)"
    r"|(?P<sign>\.\.\.|\.\.|<=|>=|!=|==|\+=|<-|\+-|\|\||[-+*/^=<>|()\[\],;:])"
)
# "s-th" is a word, and so are "window's" and what is quoted; a minus has spaces around it.
# "3 x 3 pixels" and "r x r pixels": the sign of a size, not the letter.
TIMES = re.compile(r"(?<=\b(\w) )x(?= \1\b)|(?<=\d )x(?= [\d(])")
PROSE = re.compile(r"[A-Za-z]+(?:-[A-Za-z]{2,}|'s\b|n't\b)+|``[^`]+``|`[^`]+`")


class Token(NamedTuple):
    """A number, name, sign or word of prose; the index after a name; and where it is in the text."""

    kind: str
    word: str
    index: str
    spaced: bool
    begin: int
    end: int


class Unreadable(Exception):  # noqa: N818 - it is no failure: the text stays as it is
    """The text is not mathematics that this module knows."""


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a formula.

    Raises
    ------
    Unreadable
        If there is a sign that no formula uses.
    """
    for token in scanned(text):
        if token.kind == "unknown":
            raise Unreadable(text)
        yield token


def scanned(text: str) -> Iterator[Token]:
    """Yield the tokens of any text; a sign that no formula uses is of the kind "unknown"."""
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        spaced = place > 0 and text[place - 1].isspace()
        if TIMES.match(text, place):
            yield Token("sign", "×", "", True, place, place + 1)
            place += 1
            continue
        prose = PROSE.match(text, place)
        found = prose or TOKEN.match(text, place)
        if not found:
            yield Token("unknown", text[place], "", spaced, place, place + 1)
            place += 1
            continue
        if prose:
            yield Token("prose", prose.group().strip("`"), "", spaced, place, prose.end())
        else:
            kind = next(one for one in ("rate", "name", "number", "sign") if found[one])
            yield Token(kind, found[kind], found["index"] or "", spaced, place, found.end())
        place = found.end()
