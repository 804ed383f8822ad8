"""The index: the course in order, the layers by topic, exercises and museum, and a search over titles and names."""

import json
from collections.abc import Iterable

from benchmarks import lessons
from benchmarks.exercises import catalogue
from benchmarks.pages import docstring, exercises, mistakes
from benchmarks.pages.discovery import KINDS, Topic, title_of
from benchmarks.pages.frame import SITE, Page
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.lesson_page import path_of
from benchmarks.pages.prose import Context, inline
from parity_tests.museum import EXHIBITS

SAID = {
    "layer": "Each page has the derivation beside the code, an example to step through, and the same in PyTorch.",
    "loss": "A loss is where backward begins.",
    "optimizer": "What is done with the gradients.",
    "shared": "Derivations that are steps of several others.",
}


def index_page(topics: list[Topic], links: dict[str, str]) -> Page:
    """Return the index.

    Parameters
    ----------
    topics : list of Topic
    links : dict
        Addresses by name.
    """
    context = Context(links)
    field = element("input", type="search", id="search", name="q", autocomplete="off", aria_controls="results")
    lead = (
        "Every layer of a neural network, forward and backward: the derivation, the code and the numbers side by side."
    )
    parts = [
        element("header", element("h1", SITE), element("p", lead, class_="lead"), class_="title"),
        element(
            "form",
            element("label", "Search all titles and names", for_="search"),
            field,
            element("ul", id="results", aria_live="polite", hidden=True),
            role="search",
            class_="big search",
        ),
        element(
            "script", Html(json.dumps(_entries(topics)).replace("<", "\\u003c")), type="application/json", id="entries"
        ),
        element("section", element("h2", "The course"), _course(context), id="course"),
    ]
    for kind in KINDS:
        cards = element("ul", *(_card(one, context) for one in topics if one.kind == kind), class_="cards")
        said = element("p", SAID[kind], class_="said") if kind in SAID else None
        parts.append(element("section", element("h2", title_of(kind)), said, cards, id=kind))
    parts.append(element("section", element("h2", "The exercises"), _exercises(), id="exercises"))
    parts.append(element("section", element("h2", "The museum"), _museum(), id="museum"))
    return Page("index.html", SITE, lead, "", join(parts))


def _course(context: Context) -> Html:
    items = []
    for name in lessons.NAMES:
        title, sentence = docstring.title_of(lessons.get(name).__doc__)
        link = element("a", title, href=path_of(name))
        items.append(element("li", link, element("p", _sentence(sentence, context)) if sentence else None))
    return element("ol", *items, class_="course")


def _card(topic: Topic, context: Context) -> Html:
    several = len(topic.classes) > 1 or (topic.classes and topic.classes[0].__name__ != topic.title)
    names = [element("a", cls.__name__, href=f"{topic.path}#{cls.__name__}") for cls in topic.classes]
    return element(
        "li",
        element("a", topic.title, href=topic.path, class_="name"),
        element("p", _sentence(topic.sentence, context)),
        element("p", join(names, " "), class_="names") if several else None,
    )


def _exercises() -> Html:
    said = f"{len(catalogue.all_exercises())} small files to write, to fix or to predict, each with a check. "
    return element("p", said, element("a", "See them all", href=exercises.PATH), ".")


def _museum() -> Html:
    said = f"{len(EXHIBITS)} classic mistakes, kept on purpose: what is forgotten, what you see, and what catches it. "
    return element("p", said, element("a", "Walk through it", href=mistakes.PATH), ".")


def _sentence(text: str, context: Context) -> Html:
    return inline(text[:1].upper() + text[1:], context)


def _entries(topics: list[Topic]) -> list[dict[str, str]]:
    """Return everything that can be searched for: title, kind, address, and further words."""
    return list(_each_entry(topics))


def _each_entry(topics: list[Topic]) -> Iterable[dict[str, str]]:
    for name in lessons.NAMES:
        title, sentence = docstring.title_of(lessons.get(name).__doc__)
        yield {"title": title, "kind": "lesson", "url": path_of(name), "words": f"{name} {sentence}"}
    for topic in topics:
        yield {"title": topic.title, "kind": topic.kind, "url": topic.path, "words": f"{topic.sentence} {topic.file}"}
        for cls in topic.classes:
            if cls.__name__ != topic.title:
                url = f"{topic.path}#{cls.__name__}"
                yield {"title": cls.__name__, "kind": topic.kind, "url": url, "words": topic.title}
        for one in topic.derivations:
            url = f"{topic.path}#{one.name}"
            yield {"title": one.name, "kind": "derivation", "url": url, "words": topic.title}
    for exercise in catalogue.all_exercises():
        url = f"{exercises.PATH}#{exercise.name}"
        words = f"{exercise.layer} {exercise.kind} {exercise.title}"
        yield {"title": exercise.name, "kind": "exercise", "url": url, "words": words}
    for exhibit in EXHIBITS:
        url = f"{mistakes.PATH}#{mistakes.identifier(exhibit)}"
        words = f"{' '.join(exhibit.of)} {exhibit.forgotten}"
        yield {"title": exhibit.name, "kind": "mistake", "url": url, "words": words}
