"""The museum of wrong layers: a layer's mistakes on its page, and one page with all mistakes and their code."""

import inspect
from collections.abc import Iterator

from benchmarks.pages import code
from benchmarks.pages.discovery import Topic
from benchmarks.pages.frame import Page
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.prose import Context, inline
from parity_tests.museum import EXHIBITS, Exhibit

PATH = "museum.html"
WORDS = {"torch": "PyTorch", "differences": "finite differences", "laws": "laws"}


def mistakes(topic: Topic, links: dict[str, str]) -> Html | None:
    """Return the mistakes in a file's layers; None if there are none."""
    names = {cls.__name__ for cls in topic.classes} | {one.name for one in topic.derivations}
    found = [one for one in EXHIBITS if names & set(one.of)]
    if not found:
        return None
    items = [_mistake(one, Context(links), links[PATH]) for one in found]
    return element("div", *items, class_="mistakes")


def identifier(exhibit: Exhibit) -> str:
    """Return an exhibit's identifier on the museum's page."""
    return exhibit.wrong.__name__


def _mistake(exhibit: Exhibit, context: Context, museum: str) -> Html:
    name = element("a", exhibit.name, href=f"{museum}#{identifier(exhibit)}")
    return element(
        "article",
        element("h3", name),
        element("p", inline(exhibit.forgotten, context)),
        element("p", element("strong", "What you see."), " ", inline(exhibit.seen, context)),
        _caught(exhibit),
    )


def _caught(exhibit: Exhibit) -> Html:
    marks = [element("li", word) for key, word in WORDS.items() if key in exhibit.caught]
    caught = element("div", element("span", "Caught by "), element("ul", *marks), class_="witnesses")
    if not exhibit.passes_ones:
        return caught
    return join((caught, element("p", "Passes a check with an upstream gradient of ones.", class_="passes")))


def museum_page(links: dict[str, str]) -> Page:
    """Return the page with every exhibit and its code."""
    parts = [
        element(
            "header",
            element("h1", "The museum"),
            element("p", "Classic mistakes, kept on purpose, and which witness catches each of them.", class_="lead"),
            class_="title",
        ),
        element(
            "p",
            f"{len(EXHIBITS)} right layers, each with one mistake put in. The witnesses are PyTorch, finite "
            "differences, and laws that need no reference. ",
            element("code", "backprop mistakes"),
            " shows every mistake to every witness.",
        ),
    ]
    contents = []
    for module, exhibits in _by_module().items():
        title = (inspect.getdoc(module) or "").split("\n")[0].rstrip(".")
        key = module.__name__.rpartition(".")[2]
        contents.append((key, title.partition(":")[0]))
        shown = [_exhibit(one, Context(links)) for one in exhibits]
        parts.append(element("section", element("h2", title), *shown, id=key))
    sentence = "Classic mistakes in layers, losses and optimizers, and what catches them."
    return Page(PATH, "The museum", sentence, "museum", join(parts), tuple(contents))


def _by_module() -> dict:
    found: dict = {}
    for one in EXHIBITS:
        found.setdefault(inspect.getmodule(one.wrong), []).append(one)
    return found


def _exhibit(exhibit: Exhibit, context: Context) -> Html:
    of = join((inline(f"`{name}`", context) for name in exhibit.of), ", ")
    sources = "\n\n\n".join(code.without_docstring(inspect.getsource(one)) for one in _functions(exhibit))
    return element(
        "article",
        element("h3", exhibit.name, " ", element("span", "in ", of, class_="kind")),
        element("p", inline(exhibit.forgotten, context)),
        element("p", element("strong", "What you see."), " ", inline(exhibit.seen, context)),
        _caught(exhibit),
        element("details", element("summary", "The code"), code.block(sources)),
        id=identifier(exhibit),
        class_="exhibit",
    )


def _functions(exhibit: Exhibit) -> Iterator[object]:
    """Yield the wrong plain functions that a class is given, and the class."""
    if isinstance(exhibit.wrong, type):
        for value in vars(exhibit.wrong).values():
            pair = value if isinstance(value, tuple) else (value,)
            for one in pair:
                if (
                    inspect.isfunction(one)
                    and one.__module__ == exhibit.wrong.__module__
                    and "." not in one.__qualname__
                ):
                    yield one
    yield exhibit.wrong
