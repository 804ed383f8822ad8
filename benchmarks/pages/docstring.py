"""A module's docstring, cut into its parts: the title, the legend, prose, derivations, and displayed lines."""

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from parity_tests.harness.derivation import LABEL

MOST_COLUMNS = 3
LONGEST_SYMBOL = 24


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Displayed:
    """Indented lines as they are: a formula, a table, a list."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Legend:
    """Indented lines before anything else: what the letters stand for."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """The place of a function's derivation; ``headline`` is what follows its name."""

    name: str
    headline: str


Block = Prose | Displayed | Legend | Part


def title_of(docstring: str) -> tuple[str, str]:
    """Return the first sentence's name and the rest, ("Linear", "every output is ..."); without a colon all is name."""
    first = " ".join(docstring.strip().split("\n\n")[0].split())
    name, colon, rest = first.partition(": ")
    return (name, rest) if colon else (first.removesuffix("."), "")


def blocks(docstring: str, names: Collection[str]) -> Iterator[Block]:
    """Yield what follows a docstring's title, in order.

    Parameters
    ----------
    docstring : str
    names : collection of str
        The functions that it derives. The labelled lines of each become one `Part`.
    """
    groups = [group.strip("\n").splitlines() for group in re.split(r"\n\s*\n", docstring.strip())[1:]]
    current, explained = None, False
    for lines in groups:
        first = re.match(r"\w+", lines[0])
        if first and first.group() in names and len(lines) > 1 and LABEL.match(lines[1]):
            current = first.group()
            yield Part(current, lines[0][first.end() :].strip(" ,:"))
        elif LABEL.match(lines[0]) and names:
            if current is None:
                current = next(iter(names))
                yield Part(current, "")
        elif all(line.startswith("    ") for line in lines):
            if not explained and current is None and not LABEL.match(lines[0]):
                yield Legend(tuple(lines))
            elif _is_prose(lines):
                yield Prose("\n".join(line.strip() for line in lines))
            else:
                yield Displayed(tuple(lines))
        else:
            yield from _mixed(lines)
            explained = explained or len(" ".join(lines)) > 300
            continue
        explained = True


def _is_prose(lines: list[str]) -> bool:
    text = "\n".join(line.strip() for line in lines)
    return text.endswith(".") and text[0].isupper() and "  " not in text and len(text.split()) > 8


def _mixed(lines: list[str]) -> Iterator[Block]:
    """Yield a paragraph, and what is indented right below it."""
    flush: list[str] = []
    indented = False
    for line in lines:
        if line.startswith("    ") != indented and flush:
            yield Displayed(tuple(flush)) if indented else Prose("\n".join(flush))
            flush = []
        indented = line.startswith("    ")
        flush.append(line)
    if flush:
        yield Displayed(tuple(flush)) if indented else Prose("\n".join(flush))


@dataclass(frozen=True)
class Definition:
    """One or more letters of a legend, with their shape if one is given, and what they stand for."""

    symbol: str
    shape: str
    meaning: str


def definitions(lines: Collection[str]) -> list[Definition] | None:
    """Return a legend's definitions, read in up to three columns; None if that fails.

    Examples
    --------
    >>> for one in definitions(["    N  batch      x  (N, I)  input", "    I  features   w  (I,)"]):
    ...     print(one)
    Definition(symbol='N', shape='', meaning='batch')
    Definition(symbol='I', shape='', meaning='features')
    Definition(symbol='x', shape='(N, I)', meaning='input')
    Definition(symbol='w', shape='(I,)', meaning='')
    """
    places = sorted({match.end() for line in lines for match in re.finditer(r"(?<=\S) {2,}(?=\S)", line)})
    for count in range(MOST_COLUMNS):  # as few columns as make sense
        for cuts in itertools.combinations(places, count):
            columns = [_defined(column) for column in _cut(list(lines), cuts)]
            if None not in columns:
                return [one for column in columns for one in column or []]
    return None


def _cut(lines: list[str], cuts: tuple[int, ...]) -> list[list[str]]:
    """Return the columns; a line that runs over a cut is in the column where it begins."""
    columns: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for line in lines:
        begin = 0
        for place, cut in enumerate((*cuts, len(line))):
            if cut >= len(line) or not line[cut - 2 : cut].strip():
                columns[place].append(" " * (begin and 4) + line[begin:cut].rstrip())
                begin = cut
            elif line[begin:cut].strip():
                columns[place].append(" " * (begin and 4) + line[begin:].rstrip())
                break
    return columns


def _defined(column: list[str]) -> list[Definition] | None:
    """Return a column's definitions; None if a line is not one."""
    found: list[Definition] = []
    lines = [line for line in column if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    for line in lines:
        cells = re.split(r" {2,}", line.strip())
        if len(line) - len(line.lstrip()) > margin:  # goes on with the line before
            if not found or len(cells) > 1:
                return None
            last = found.pop()
            found.append(Definition(last.symbol, last.shape, f"{last.meaning} {cells[0]}".strip()))
            continue
        symbol, *rest = cells
        shape = rest.pop(0) if rest and re.match(r"\(.*\)$", rest[0]) else ""
        if not shape and not rest and (" = " in symbol or ": " in symbol):
            symbol, _, meaning = symbol.partition(": ")
            rest = [meaning]
        elif len(symbol) > LONGEST_SYMBOL or symbol.startswith("("):
            return None
        if len(rest) > 1 or (not rest and not shape):
            return None
        found.append(Definition(symbol, shape, "".join(rest)))
    return found
