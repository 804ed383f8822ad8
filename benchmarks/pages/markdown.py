"""A README's sections as HTML, with formulas in MathML and with links to the site's pages where these exist."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from benchmarks.pages.html import Html


@dataclass(frozen=True)
class Section:
    """What is under a heading.

    Attributes
    ----------
    source : str
        The Markdown, without the heading.
    body : Html
        The HTML, without images and without what to read and to run.
    images : dict of str to str
        What each image shows, by its file's name.
    """

    source: str
    body: Html
    images: dict[str, str] = field(default_factory=dict)


def sections(path: Path, links: Mapping[str, str]) -> list[Section]:
    """Return the sections of a file, those under its second-level headings; none where there is no file."""
    if not path.exists():
        return []
    return [_section(one.partition("\n")[2], links) for one in path.read_text().split("\n## ")[1:]]


def _section(source: str, links: Mapping[str, str]) -> Section:
    images = {Path(file).name: words for words, file in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", source)}
    groups = [one for one in source.strip().split("\n\n") if not one.startswith(("![", "Read "))]
    tokens = _parser().parse("\n\n".join(groups))
    for token in tokens:
        _relink(token.children or [], links)
    return Section(source, Html(_parser().renderer.render(tokens, _parser().options, {})), images)


def _relink(tokens: list[Token], links: Mapping[str, str]) -> None:
    """Point links to files at their pages; links to files without a page become text."""
    dead = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            file = target.lstrip("./")
            address = target if target.startswith("http") else links.get(file)
            dead = address is None
            if address is not None:
                token.attrSet("href", address)
        if dead and token.type in ("link_open", "link_close"):
            dead = token.type == "link_open"
            token.type, token.tag, token.attrs = token.type.replace("link", "em"), "span", {}


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    return parser.use(dollarmath_plugin, renderer=_formula, allow_digits=False)


def _formula(text: str, options: Mapping[str, object]) -> str:
    # LaTeX's \qquad between formulas becomes a line break: a page may be narrow.
    if not options.get("display_mode"):
        return convert(text)
    lines = [one.strip().rstrip(",") for one in re.split(r"\\q?quad(?:\\q?quad)?", text) if one.strip()]
    return "".join(f'<span class="line">{convert(one, display="block")}</span>' for one in lines)
