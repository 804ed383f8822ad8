"""What all pages have in common: head, navigation, previous and next."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.pages.discovery import KINDS, title_of
from benchmarks.pages.html import Html, breakable, element, join

SITE = "Backprop, by hand"
SECTIONS = (
    ("course", "Course"),
    *((kind, title_of(kind)) for kind in KINDS),
    ("exercises", "Exercises"),
    ("museum", "Museum"),
)


@dataclass(frozen=True)
class Page:
    """A page before it gets its frame.

    Attributes
    ----------
    path : str
        Its name in the site: "lessons/neuron.html".
    title, sentence : str
    section : str
        One of `SECTIONS`; empty for the index.
    body : Html
    contents : tuple of pair of str
        Identifiers and titles of the page's sections, for the list beside it.
    """

    path: str
    title: str
    sentence: str
    section: str
    body: Html
    contents: tuple[tuple[str, str], ...] = ()

    @property
    def root(self) -> str:
        """The relative path from the page to the site's folder: "../"."""
        return root_of(self.path)


def root_of(path: str) -> str:
    """Return the relative path from a page to the site's folder."""
    return "../" * path.count("/")


def framed(page: Page, before: Page | None, after: Page | None) -> str:
    """Return a whole page."""
    title = f"{page.title} · {SITE}" if page.section else SITE
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=page.sentence.replace("`", "")),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("link", rel="stylesheet", href=f"{page.root}style.css"),
        element("script", src=f"{page.root}script.js", defer=True),
    )
    body = element(
        "body",
        element("a", "Skip to the text", href="#main", class_="skip"),
        _top(page),
        element("main", _contents(page.contents), element("article", page.body), id="main", tabindex="-1"),
        _bottom(page, before, after),
        class_=f"in-{page.section or 'index'}",
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _top(page: Page) -> Html:
    home = element("a", SITE, href=f"{page.root}index.html", class_="home")
    links = [
        element("a", word, href=f"{page.root}index.html#{key}", aria_current="true" if key == page.section else None)
        for key, word in SECTIONS
    ]
    field = element("input", type="search", name="q", placeholder="Search", aria_label="Search all titles and names")
    search = element("form", field, action=f"{page.root}index.html", role="search", class_="search")
    return element("header", home, element("nav", *links, aria_label="Sections"), search, class_="top")


def _contents(contents: Sequence[tuple[str, str]]) -> Html | None:
    if len(contents) < 2:
        return None
    items = [element("li", element("a", title, href=f"#{key}")) for key, title in contents]
    return element("nav", element("ol", *items), class_="contents", aria_label="On this page")


def _bottom(page: Page, before: Page | None, after: Page | None) -> Html | None:
    if before is None and after is None:
        return None
    ways = [
        element("a", element("span", word), " ", breakable(other.title), href=f"{page.root}{other.path}", rel=rel)
        for word, rel, other in (("Previous", "prev", before), ("Next", "next", after))
        if other is not None
    ]
    return element("footer", element("nav", join(ways, " "), class_="ways", aria_label="Previous and next"))
