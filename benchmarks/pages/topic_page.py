"""The page of a file of the engine: its docstring with the code beside it, the example, the classes, the mistakes."""

from benchmarks.pages import classes, docstring, mathematics
from benchmarks.pages.discovery import Topic
from benchmarks.pages.docstring import Displayed, Legend, Part, Prose
from benchmarks.pages.examples import Example, examples
from benchmarks.pages.exercises import exercises
from benchmarks.pages.frame import Page
from benchmarks.pages.html import Html, breakable, element, join
from benchmarks.pages.mistakes import mistakes
from benchmarks.pages.prose import Context, displayed, inline, paragraph
from benchmarks.pages.relations import names_of
from benchmarks.pages.rows import anchors, rows
from benchmarks.pages.speed import Speed
from benchmarks.pages.stepper import stepper
from parity_tests.harness.derivation import Derivation


def topic_page(topic: Topic, links: dict[str, str], speed: Speed) -> Page:
    """Return the page of a file.

    Parameters
    ----------
    topic : Topic
    links : dict
        Addresses by name, relative to this page.
    speed : Speed
    """
    found = examples(topic)
    parts = [_head(topic, Context(links))]
    contents: list[tuple[str, str]] = []
    by_name = {one.name: one for one in topic.derivations}
    legend = _symbols(topic.module.__doc__)
    current = topic.derivations[0] if topic.derivations else None
    shown: set[str] = set()
    for block in docstring.blocks(topic.module.__doc__, list(by_name)):
        if isinstance(block, Part):
            current = by_name[block.name]
            shown.add(block.name)
            parts.append(_derivation(current, block.headline, legend, links, found.get(block.name)))
            contents.append((block.name, block.name))
            continue
        context = _context(current, legend, links)
        if isinstance(block, Legend):
            parts.append(_legend(block, context))
        elif isinstance(block, Displayed):
            parts.append(displayed(block, context))
        elif isinstance(block, Prose):
            parts.append(paragraph(block.text, context))
    for one in topic.derivations:
        if one.name not in shown:
            parts.append(_derivation(one, "", legend, links, found.get(one.name)))
            contents.append((one.name, one.name))
    context = Context(links, {}, legend)
    sections = [classes.section(cls, topic.kind, context, speed) for cls in topic.classes]
    if sections:
        heading = element("h2", "The class" if len(sections) == 1 else "The classes")
        parts.append(element("section", heading, *sections, class_="classes"))
        contents += [(cls.__name__, cls.__name__) for cls in topic.classes]
    for key, title, section in (
        ("mistakes", "Classic mistakes", mistakes(topic, links)),
        ("exercises", "Exercises", exercises(topic, links)),
    ):
        if section is not None:
            parts.append(element("section", element("h2", title), section, id=key))
            contents.append((key, title))
    return Page(topic.path, topic.title, topic.sentence, topic.kind, join(parts), tuple(contents))


def _head(topic: Topic, context: Context) -> Html:
    names = [element("a", element("code", cls.__name__), href=f"#{cls.__name__}") for cls in topic.classes]
    file = element("p", element("code", topic.file), class_="file")
    sentence = topic.sentence[:1].upper() + topic.sentence[1:]
    return element(
        "header",
        file,
        element("h1", breakable(topic.title)),
        element("p", inline(sentence, context), class_="lead") if sentence else None,
        element("p", join(names, " "), class_="names") if len(names) > 1 else None,
        class_="title",
    )


def _symbols(text: str) -> frozenset[str]:
    """Return the letters that a docstring's legend explains."""
    found: set[str] = set()
    for block in docstring.blocks(text, []):
        if isinstance(block, Legend):
            for one in docstring.definitions(block.lines) or []:
                found |= {word for word in one.symbol.replace(",", " ").split() if word.isidentifier()}
    return frozenset(found)


def _context(derivation: Derivation | None, legend: frozenset[str], links: dict[str, str]) -> Context:
    if derivation is None:
        return Context(links, {}, legend)
    return Context(links, anchors(derivation), names_of(derivation) | legend)


def _legend(block: Legend, context: Context) -> Html:
    found = docstring.definitions(block.lines)
    if found is None:
        return displayed(Displayed(block.lines), context)
    names = {word for one in found for word in one.symbol.replace(",", " ").split()} | set(context.names)
    items = []
    for one in found:
        shape = element("span", one.shape, class_="shape") if one.shape else None
        meaning = inline(one.meaning, context) if one.meaning else None
        term = element("dt", mathematics.typeset(one.symbol.strip("`"), names))
        items.append(element("div", term, element("dd", shape, " " if shape else None, meaning)))
    return element("dl", *items, class_="legend")


def _derivation(
    derivation: Derivation, headline: str, legend: frozenset[str], links: dict[str, str], example: Example | None
) -> Html:
    context = _context(derivation, legend, links)
    title = element("h2", element("code", derivation.name), class_="function")
    words = headline[:1].upper() + headline[1:]
    told = element("p", inline(words, context), class_="headline") if headline else None
    if example is not None and (derivation.forward[0].label or len(derivation.forward) > 1):
        steps = stepper(derivation, example)
    elif example is not None:
        steps = None
    else:
        steps = element("p", element("code", "backprop trace"), " has no example of it by itself.", class_="note")
    table = rows(derivation, context)
    return element("section", title, told, table, steps, id=derivation.name, class_="derivation")
