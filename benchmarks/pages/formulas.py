"""Formulas within sentences, recognized by their signs: "the running mean of g^2" has one."""

import re
from collections.abc import Collection, Iterator, Sequence

from benchmarks.pages import mathematics
from benchmarks.pages.html import Html
from benchmarks.pages.notation import Token, scanned
from benchmarks.pages.words import FUNCTIONS, is_word

SIGNS = {"^", "=", "<-", "<=", ">=", "!=", "<", ">", "+-"}
BETWEEN = {"+", "-", "*", "/"}
YEAR = re.compile(r"(19|20)\d\d")
BRACKETS = {"(": 1, "[": 1, ")": -1, "]": -1}


def within(text: str, names: Collection[str]) -> Iterator[tuple[int, int, Html]]:
    """Yield the formulas of a sentence: where each begins and ends, and how it is written.

    Parameters
    ----------
    text : str
    names : collection of str
        The quantities that are known besides letters.
    """
    tokens = list(scanned(text))
    place = 0
    while place < len(tokens):
        last = place
        depth = 0
        while last < len(tokens) and _belongs(tokens, last, depth, names):
            depth += BRACKETS.get(tokens[last].word, 0)
            last += 1
        found = _longest(text, tokens, place, last, names)
        if found:
            place, formula = found
            yield formula
        else:
            place = max(last, place + 1)


def _belongs(tokens: Sequence[Token], place: int, depth: int, names: Collection[str]) -> bool:
    """Return whether a token may be part of a formula; a comma, within brackets only."""
    token = tokens[place]
    if token.kind in ("prose", "unknown") or token.word in (":", ";") or YEAR.fullmatch(token.word):
        return False
    if token.word.isupper() and len(token.word) > 1 and token.word not in names:  # "EPS = 1e-8", not "at x = 0 SELU"
        return place + 1 < len(tokens) and tokens[place + 1].word == "="
    return depth > 0 if token.word == "," else not is_word(tokens, place, names)


def _longest(
    text: str, tokens: Sequence[Token], first: int, last: int, names: Collection[str]
) -> tuple[int, tuple[int, int, Html]] | None:
    """Return the place behind the longest formula among tokens, and that formula; the leftmost of several."""
    for begin in range(first, last):
        for end in range(last, begin, -1):
            if not _is_formula(tokens[begin:end]) or _is_code(tokens, begin, end):
                continue
            start, stop = tokens[begin].begin, tokens[end - 1].end
            formula = mathematics.within(text[start:stop], names)
            if formula is not None:
                return end, (start, stop, formula)
    return None


def _is_code(tokens: Sequence[Token], begin: int, end: int) -> bool:
    """Return whether a formula is a part of code, as exp(1) is of np.exp(1)."""
    if any(one.word == "=" and not one.spaced for one in tokens[begin:end]):
        return True
    before = tokens[begin - 1] if begin and not tokens[begin].spaced else None
    if before is not None and (before.kind in ("name", "number") or before.word in (".", "=", "_")):
        return True
    behind, then = ([*tokens[end : end + 2], None, None])[:2]
    if behind is None or behind.word == "@" or behind.spaced:
        return behind is not None and behind.word == "@"
    dotted = behind.word == "." and then is not None and not then.spaced
    return behind.kind in ("name", "number") or behind.word == "(" or dotted


def _is_formula(tokens: Sequence[Token]) -> bool:
    """Return whether tokens have a sign that no prose has, and each bracket its partner."""
    depth = 0
    for token in tokens:
        depth += BRACKETS.get(token.word, 0)
        if depth < 0:
            return False
    if depth or tokens[0].word in {*SIGNS, *BETWEEN, "×"} - {"-"} or tokens[-1].word in {*SIGNS, *BETWEEN, "×"}:
        return False
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        if token.word in {*SIGNS, "|"} or token.kind == "rate":
            return True
        if token.word in BETWEEN and place and token.spaced and following and following.spaced:
            return True
        if token.word in FUNCTIONS and following and following.word == "(" and not following.spaced:
            return True
    return False
