"""The plain-text mathematics of docstrings, as MathML.

    grad_std = -sum_m grad_normalized centred / std^2

is a language with a few rules, which all docstrings follow. A space between two quantities is a product, and binds more
tightly than ``/``; a bracket without a space before it is a call or an index; ``sum_m``, ``max_k`` and a bare ``log``
act on the product that follows; ``_`` before letters that are not part of a name is an index, and ``grad_x`` is the
gradient with respect to x, written as a nabla with x below. A word that is not a quantity is a word.

What does not parse stays as it is, monospaced.
"""

import re
from collections.abc import Collection

from benchmarks.pages import mathml, words
from benchmarks.pages.html import Html, element, escape, join
from benchmarks.pages.mathml import BIG, SIGNS
from benchmarks.pages.notation import Unreadable, tokens
from benchmarks.pages.words import FUNCTIONS

PAUSES = (",", ";", ":")
RELATIONS = {"=", "+=", "==", "<=", ">=", "!=", "<", ">", "<-", "||"}
LONG = 24


def typeset(text: str, names: Collection[str]) -> Html:
    """Return an expression, or a phrase with expressions in it, as HTML with MathML; as code if it cannot be read.

    Parameters
    ----------
    text : str
        Such as ``x where positive, else s x``.
    names : collection of str
        The quantities that are known: arguments, and whatever is computed. Single letters, gradients and the names
        of Greek letters are known anyway.
    """
    try:
        return _Reader(text, names).phrase()
    except Unreadable:
        return element("code", " ".join(text.split()), class_="text")


def within(text: str, names: Collection[str]) -> Html | None:
    """Return a formula within a sentence, on one line: a / b keeps its slash; None if it cannot be read."""
    try:
        return _Reader(text, names, slashed=True).phrase()
    except Unreadable:
        return None


def equation(text: str, names: Collection[str]) -> tuple[Html, Html]:
    """Return an equation's left side, and its right side with the sign before it; the left is empty without a sign."""
    found = re.search(r" (\+?=|<-) ", text)
    if not found:
        return Html(""), typeset(text, names)
    sign = mathml.math(mathml.operator(found[1]))
    return typeset(text[: found.start()], names), join((sign, typeset(text[found.end() :], names)), " ")


def quantity(name: str, names: Collection[str] = ()) -> Html:
    """Return a name by itself: ``grad_x``, ``v_hat``."""
    return mathml.math(mathml.name(name, names))


def operation(word: str) -> Html:
    """Return a sum, or the like, by itself: ``sum_k``."""
    stem, _, index = word.partition("_")
    sign = mathml.big(stem) if stem in BIG else element("mi", stem)
    return mathml.math(element("msub", sign, mathml.letters(index)))


class _Reader:
    """A text, read from left to right."""

    def __init__(self, text: str, names: Collection[str], slashed: bool = False) -> None:
        self.text, self.names, self.slashed = text, names, slashed
        self.tokens, self.place = list(tokens(text)), 0

    # Looking ahead.

    @property
    def kind(self) -> str:
        return self.tokens[self.place].kind if self.place < len(self.tokens) else "end"

    @property
    def word(self) -> str:
        return self.tokens[self.place].word if self.place < len(self.tokens) else ""

    @property
    def spaced(self) -> bool:
        """Whether there is a space before the current token."""
        return self.place < len(self.tokens) and self.tokens[self.place].spaced

    def is_word(self) -> bool:
        """Whether the token is prose."""
        return words.is_word(self.tokens, self.place, self.names)

    def take(self, word: str) -> None:
        if self.word != word:
            raise Unreadable(self.text)
        self.place += 1

    # From the phrase down to the factor.

    def phrase(self) -> Html:
        """Return expressions with words and commas between them."""
        parts: list[Html] = []
        while self.kind != "end":
            start = self.tokens[self.place].begin
            before = " " if parts and self.spaced else ""
            if self.is_word() or self.word in PAUSES:
                parts.append(escape(before + self.word))
                self.place += 1
                continue
            terms = self.relation()
            said = self.text[start : self.tokens[self.place - 1].end]
            if self.word in PAUSES:  # inside, so that no line begins with it
                terms.append(element("mtext", self.word))
                self.place += 1
            # Between terms a line may be broken.
            pieces = [mathml.math(term) for term in terms] if len(said) > LONG else [mathml.math(join(terms))]
            parts.append(join([escape(before), join(pieces, "<wbr>")]))
        return join(parts)

    def relation(self) -> list[Html]:
        """Return the terms of a sum, or of sums that are compared."""
        terms = self.sum()
        while self.word in RELATIONS:
            sign = mathml.operator(self.word)
            self.place += 1
            first, *more = self.sum()
            terms += [element("mrow", sign, first), *more]
        return terms

    def sum(self) -> list[Html]:
        """Return the terms, each with its sign."""
        terms = []
        while True:
            sign = None
            if self.word in ("+", "-", "+-"):
                sign = mathml.operator(self.word, "infix" if terms else "prefix")
                self.place += 1
            terms.append(element("mrow", sign, self.fraction()))
            if self.word not in ("+", "-", "+-"):
                return terms

    def fraction(self) -> Html:
        """Return a product, over a factor if there is one."""
        bare = self.word == "(" and self.behind_bracket() == "/" and not self.slashed
        top = self.factor(bare=True) if bare else self.product()
        while self.word in ("/", "*", "×"):
            word = self.word
            self.place += 1
            below = self.factor(bare=word == "/" and not self.slashed)
            top = self.over(top, below) if word == "/" else join((top, mathml.operator(word), below))
        return top

    def over(self, top: Html, below: Html) -> Html:
        """Return a fraction."""
        if not self.slashed:
            return element("mfrac", top, below)
        return element("mrow", top, element("mo", "/", lspace="0.08em", rspace="0.08em"), below)

    def behind_bracket(self) -> str:
        """Return the token behind the bracket that closes the one at hand."""
        depth = 0
        for place in range(self.place, len(self.tokens)):
            depth += {"(": 1, ")": -1}.get(self.tokens[place].word, 0)
            if depth == 0:
                return self.tokens[place + 1].word if place + 1 < len(self.tokens) else ""
        raise Unreadable(self.text)

    def product(self) -> Html:
        """Return factors side by side."""
        factors = [self.factor()]
        while self.starts_factor():
            factors += [element("mo", "\u2062", lspace="0.12em", rspace="0.12em"), self.factor()]
        return element("mrow", *factors)

    def starts_factor(self) -> bool:
        if self.kind in ("number", "rate") or self.word in ("(", "[", "..."):
            return True
        if self.word == "|":
            return self.spaced and not self.closes_bar() and not self.is_given()
        return self.kind == "name" and not self.is_word()

    def is_given(self) -> bool:
        """Whether a bar has spaces on either side, as in p(a | s)."""
        return self.spaced and self.place + 1 < len(self.tokens) and self.tokens[self.place + 1].spaced

    def closes_bar(self) -> bool:
        return self.place + 1 == len(self.tokens) or self.tokens[self.place + 1].word in {")", ",", *"+-/^"}

    def factor(self, bare: bool = False) -> Html:
        """Return a quantity with its exponent; brackets around it are left out where it stands ``bare``."""
        base = self.atom(bare)
        if self.word == "^":
            self.place += 1
            if self.word == "T":
                self.place += 1
                return mathml.raised(base, element("mo", "⊤"))
            sign = element("mo", "−") if self.word == "-" else None
            if sign:
                self.place += 1
            return mathml.raised(base, element("mrow", sign, self.atom(bare=True)))
        return base

    def atom(self, bare: bool = False) -> Html:
        kind, word = self.kind, self.word
        self.place += 1
        if kind == "number":
            mantissa, _, exponent = word.partition("e")
            if not exponent:
                return element("mn", word)
            power = element("msup", element("mn", "10"), element("mn", exponent.replace("-", "−")))
            return power if mantissa == "1" else element("mrow", element("mn", mantissa), element("mo", "·"), power)
        if kind == "name":
            return self.named(word)
        if kind == "rate":  # a derivative: dL/dw
            parts = (mathml.name(one[1:], self.names) for one in word.split("/"))
            top, below = (element("mrow", element("mo", "∂"), one) for one in parts)
            return self.over(top, below)
        if word == "(":
            inside = self.inside(")")
            if bare and self.word != "^" and "<mo>,</mo>" not in inside:
                return inside
            return mathml.bracketed("(", inside, ")")
        if word == "[":
            return self.matrix() if self.word == "[" else mathml.bracketed("[", self.inside("]"), "]")
        if word == "|":
            inside = element("mrow", *self.sum())
            self.take("|")
            return mathml.bracketed("|", inside, "|")
        if word in ("...", ".."):
            return element("mo", "…")
        if word in ("-", "+"):
            return element("mrow", element("mo", SIGNS.get(word, word), form="prefix"), self.factor())
        raise Unreadable(self.text)

    def matrix(self) -> Html:
        """Return a matrix, given as [[1, 2], [3, 4]]."""
        rows = []
        while self.word == "[":
            self.place += 1
            cells = [join(self.relation())]
            while self.word == ",":
                self.place += 1
                cells.append(join(self.relation()))
            self.take("]")
            rows.append(element("mtr", *(element("mtd", cell) for cell in cells)))
            if self.word == ",":
                self.place += 1
        self.take("]")
        table = element("mtable", *rows)
        return element("mrow", element("mo", "[", form="prefix"), table, element("mo", "]", form="postfix"))

    def inside(self, end: str) -> Html:
        """Return what is between brackets, words among it."""
        parts: list[Html] = []
        while self.word != end:
            if self.kind == "end":
                raise Unreadable(self.text)
            if self.is_word():
                parts.append(element("mtext", f"\u00a0{self.word}\u00a0"))
                self.place += 1
            elif self.word in PAUSES or (self.word == "|" and self.is_given()):
                parts.append(element("mo", self.word))
                self.place += 1
            else:
                parts += self.relation()
        self.take(end)
        return element("mrow", *parts)

    def named(self, word: str) -> Html:
        index = self.tokens[self.place - 1].index
        if self.word == "(" and not self.spaced:
            self.place += 1
            inside = self.inside(")")
            if word == "sqrt":
                return element("msqrt", inside)
            return element("mrow", mathml.name(word, self.names), mathml.bracketed("(", inside, ")"))
        stem, _, below = word.partition("_")
        operates = stem in {*BIG, *FUNCTIONS} and word not in self.names
        if operates and (self.starts_factor() or self.word == "-"):
            sign = mathml.big(stem) if stem in BIG else element("mi", stem)
            below += index.strip("_(),") if index else ""
            if below:
                sign = element("msub", sign, mathml.letters(below))
            space = element("mspace", width="0.15em")
            return element("mrow", sign, space, self.product())
        name = mathml.name(word, self.names, index)
        if self.word == "[" and not self.spaced:
            self.place += 1
            name = element("mrow", name, mathml.bracketed("[", self.inside("]"), "]"))
        return name
