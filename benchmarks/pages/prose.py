"""Sentences of docstrings as HTML: code, gradients, labels of statements and names of layers are marked up."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from benchmarks.pages import formulas, mathematics
from benchmarks.pages.docstring import Displayed
from benchmarks.pages.html import Html, element, escape, join
from benchmarks.pages.mathml import GREEK
from benchmarks.pages.notation import TIMES

REFERENCE = re.compile(
    r"``(?P<literal>[^`]+)``|`(?P<name>[^`]+)`|(?P<label>\b[FBU]\d+[a-z]?\b)"
    r"|(?P<file>\b(?:scratch|torch_ref|benchmarks|parity_tests)/[\w/]+\.(?:py|md)\b)"
)
QUANTITY = re.compile(
    r"(?P<gradient>\bgrad_\w+\b)"
    rf"|(?P<greek>\b(?:{'|'.join(GREEK)})\d*\b)|(?P<operation>\b(?:sum|max|min|prod)_(?!lr)[a-z]{{1,3}}\b)"
    r"|(?P<word>\b[a-z]\w*_\w*\b)"
)

# What a paragraph opens with in place of a heading: "Saturation.", "Why the order matters.", "How large may lr be?"
OPENING = re.compile(
    r"(?:(?:Why|What|How)\b[^.?:;`]{2,60}[.?]|[A-Z][a-z]+(?: (?!is\b|are\b|has\b|was\b)[a-z]+){0,3}\.) (?=\S)"
)


@dataclass(frozen=True)
class Context:
    """What words link to on a page.

    Attributes
    ----------
    links : mapping of str to str
        Addresses of pages, by the names of classes, functions, modules and files.
    anchors : mapping of str to str
        Identifiers on this page, by the labels of statements.
    names : collection of str
        Quantities.
    """

    links: Mapping[str, str] = field(default_factory=dict)
    anchors: Mapping[str, str] = field(default_factory=dict)
    names: Collection[str] = frozenset()


def inline(text: str, context: Context) -> Html:
    """Return a sentence, or several."""
    text = " ".join(text.split())
    parts, end = [], 0
    for match in REFERENCE.finditer(text):
        parts += [_plain(text[end : match.start()], context), _reference(match, context)]
        end = match.end()
    return join([*parts, _plain(text[end:], context)])


def _plain(text: str, context: Context) -> Html:
    """Return text without references: its formulas, and the words between them."""
    parts, end = [], 0
    for begin, stop, formula in formulas.within(text, context.names):
        parts += [_words(text[end:begin], context), formula]
        end = stop
    return join([*parts, _words(text[end:], context)])


def _words(text: str, context: Context) -> Html:
    parts, end = [], 0
    for match in QUANTITY.finditer(text):
        parts += [escape(TIMES.sub("×", text[end : match.start()])), _quantity(match, context)]
        end = match.end()
    return join([*parts, escape(TIMES.sub("×", text[end:]))])


def _quantity(match: re.Match, context: Context) -> Html:
    kind, word = match.lastgroup, match[match.lastgroup]
    if kind in ("gradient", "greek") or (kind == "word" and word in context.names):
        return mathematics.quantity(word, context.names)
    stem, _, index = word.rpartition("_")
    if kind == "word" and (stem in context.names or len(stem) == 1) and len(index) < 4:
        return mathematics.quantity(word, context.names)
    return mathematics.operation(word) if kind == "operation" else escape(word)


def _reference(match: re.Match, context: Context) -> Html:
    kind, word = match.lastgroup, match[match.lastgroup]
    if kind == "label":
        anchor = context.anchors.get(word)
        return element("a", word, href=f"#{anchor}", class_="ref") if anchor else escape(word)
    address = _address(word, context.links)
    shown = element("code", word)
    return element("a", shown, href=address) if address else shown


def _address(word: str, links: Mapping[str, str]) -> str | None:
    """Return the address of a name, without its arguments: as it is, or else by its last part."""
    bare = word.split("(")[0].strip()
    if bare.startswith("torch."):
        return None
    return links.get(bare) or links.get(bare.rpartition(".")[2])


def paragraph(text: str, context: Context) -> Html:
    """Return a paragraph; an opening that stands for a heading, such as "Saturation.", is set in bold."""
    flat = " ".join(text.split())
    opening = OPENING.match(flat)
    if opening is None:
        return element("p", inline(flat, context))
    title = element("strong", inline(opening.group().strip(), context), class_="opening")
    return element("p", title, " ", inline(flat[opening.end() :], context))


def displayed(block: Displayed, context: Context) -> Html:
    """Return indented lines: as formulas if all of them are formulas, otherwise as they are."""
    rows = [_formula(line, context) for line in block.lines]
    if all(row is not None for row in rows):
        return element("div", *rows, class_="formulas")
    margin = min(len(line) - len(line.lstrip()) for line in block.lines)
    text = "\n".join(_marked(line[margin:]) for line in block.lines)
    return element("pre", Html(text), class_="display", tabindex="0")


def _marked(line: str) -> Html:
    return Html(re.sub(r"\b([FBU]\d+[a-z]?)(?=\s)", r'<b class="label">\1</b>', escape(line)))


def _formula(line: str, context: Context) -> Html | None:
    spaced = re.sub(r"^([FBU]\d+[a-z]?) ", r"\1  ", re.sub(r"\s+(\+?=|<-)\s+", r" \1 ", line.strip()))
    cells = re.split(r" {2,}", spaced)
    found = [place for place, cell in enumerate(cells) if re.search(r" (\+?=|<-) ", cell)]
    named = re.match(r"(\w+:) (\S.*)", line.strip())
    if not found and named and len(cells) == 1:  # "closed: base gamma^epoch"
        cells, found = list(named.groups()), [1]
    if not found:
        return None
    cells[found[0] : found[-1] + 1] = [" ".join(cells[found[0] : found[-1] + 1])]  # several, with commas between them
    if len(cells) > 3 or found[0] == 2:
        return None
    left, right = mathematics.equation(cells[found[0]], context.names)
    formula = join((left, right), " ")
    if 'class="text"' in formula:
        return None
    asides = [inline(cell, context) for cell in cells]
    asides[found[0]] = formula
    kinds = ("name", "formula", "aside")[1 - found[0] :]
    shown = [element("span", one, class_=kind) for one, kind in zip(asides, kinds, strict=False)]
    return element("div", join(shown, " "), class_="line")
