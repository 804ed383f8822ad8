"""Which words of the plain-text mathematics are quantities, and which are prose."""

import re
from collections.abc import Collection, Sequence

from benchmarks.pages.mathml import BIG, GREEK
from benchmarks.pages.notation import Token

FUNCTIONS = frozenset(re.findall(r"\w+", "exp log sqrt max min sign clip tanh sin cos argmax mean floor ceil"))
WORDS = frozenset(re.findall(r"\w+", "as at in of if is to or and by for where else elsewhere with the"))
DETERMINERS = frozenset(re.findall(r"\w+", "a an the no those each every its"))


def is_word(tokens: Sequence[Token], place: int, names: Collection[str]) -> bool:
    """Return whether a token is prose.

    Parameters
    ----------
    tokens : sequence of Token
    place : int
        May be beyond the end.
    names : collection of str
        The quantities that are known.
    """
    if place >= len(tokens) or tokens[place].kind != "name":
        return place < len(tokens) and tokens[place].kind == "prose"
    name, following = tokens[place].word, tokens[place + 1 : place + 2]
    if tokens[place].index:
        return False
    if name == "a":
        return _is_article(tokens, place, names)
    if name in WORDS:
        return True
    if name in names:
        return _is_noun(tokens, place, names)
    stem = name.rstrip("'")
    if stem in {*BIG, *FUNCTIONS} and following and following[0].word == "of":  # "sum of"
        return True
    if len(stem) == 1 or stem in GREEK or stem in FUNCTIONS or stem.split("_")[0] in {*BIG, *FUNCTIONS, "grad"}:
        return False
    known = stem.isupper() or re.search(r"\d|_", stem) or not re.search("[aeiouy]", stem.lower())
    called = following and following[0].word in ("(", "^") and not following[0].spaced
    return not known and not called and not _is_operand(tokens, place)


def _is_article(tokens: Sequence[Token], place: int, names: Collection[str]) -> bool:
    """Return whether an "a" is one: "a query", but "a e" and, where there are a of them, "a zeros"."""
    if place + 1 >= len(tokens) or not tokens[place + 1].spaced:
        return False
    following = tokens[place + 1]
    if following.kind == "prose" or not _is_plain(following) or following.word in WORDS:
        return following.kind == "prose"
    return not ("a" in names and following.word.endswith("s"))


def _is_noun(tokens: Sequence[Token], place: int, names: Collection[str]) -> bool:
    """Return whether a quantity's name is a plain word after an article: "the rows of x"."""
    if place == 0 or not _is_plain(tokens[place]):
        return False
    before = tokens[place - 1].word
    if before == "a":
        return _is_article(tokens, place - 1, names)
    return before in DETERMINERS or (before in names and _is_noun(tokens, place - 1, names))


def _is_plain(token: Token) -> bool:
    """Return whether a token could be an English word."""
    word = token.word
    special = word in {*GREEK, *BIG, *FUNCTIONS} - {"mean"}
    return token.kind == "name" and not token.index and len(word) > 1 and word.isalpha() and not special


def _is_operand(tokens: Sequence[Token], place: int) -> bool:
    """Return whether an operator stands beside a token: "up + down" are quantities, "up and down" are words."""
    before = tokens[place - 1].word if place else ""
    behind = tokens[place + 1] if place + 1 < len(tokens) else None
    return before in ("+", "-", "/", "^") or (behind is not None and behind.word in ("+", "-", "/") and behind.spaced)
