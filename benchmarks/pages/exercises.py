"""The exercises: on a layer's page those that belong to it, and a page with all of them in their order."""

from benchmarks.exercises import catalogue
from benchmarks.exercises.exercise import Exercise
from benchmarks.pages import code
from benchmarks.pages.discovery import Topic
from benchmarks.pages.frame import Page
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.prose import Context, inline

PATH = "exercises.html"


def exercises(topic: Topic, links: dict[str, str]) -> Html | None:
    """Return the exercises on a file's layers; None if there are none."""
    found = [one for cls in topic.classes for one in catalogue.on_layer(cls.__name__)]
    if not found:
        return None
    context = Context(links, {}, frozenset())
    items = [
        element(
            "li",
            element("a", element("strong", one.name), href=f"{links[PATH]}#{one.name}"),
            f" {one.title} ",
            element("span", one.kind, class_="kind"),
            element("p", inline(one.task, context)),
        )
        for one in found
    ]
    commands = f"backprop exercises start\nbackprop exercises check {found[0].name}"
    return join([element("ul", *items, class_="exercises"), code.command(commands)])


def exercises_page(links: dict[str, str]) -> Page:
    """Return the page with every exercise, each with a link to its layer's page."""
    context, number = Context(links, {}, frozenset()), 0
    lead = "Write the backward passes yourself, one per file, and be told what is wrong with them."
    parts = [
        element("header", element("h1", "Exercises"), element("p", lead, class_="lead"), class_="title"),
        element(
            "p",
            f"{len(catalogue.all_exercises())} exercises, each building on the ones before: a backward to write, a "
            "mistake to find, a prediction to make.",
        ),
        code.command("backprop exercises start\nbackprop exercises watch"),
    ]
    for chapter in catalogue.CHAPTERS:
        items = [_item(one, links, context) for one in chapter.exercises]
        listing = element("ol", *items, class_="exercises", start=str(number + 1))
        number += len(items)
        then = code.command(f"backprop exercises milestone {chapter.milestone}") if chapter.milestone else None
        parts.append(element("section", element("h2", chapter.title), listing, then, id=identifier(chapter)))
    contents = tuple((identifier(one), one.title) for one in catalogue.CHAPTERS)
    return Page(PATH, "Exercises", lead, "exercises", join(parts), contents)


def identifier(chapter: catalogue.Chapter) -> str:
    """Return a chapter's identifier on the page."""
    return chapter.title.lower().replace(",", "").replace(" ", "-")


def _item(exercise: Exercise, links: dict[str, str], context: Context) -> Html:
    layer = links.get(exercise.layer)
    name = element("a", exercise.layer, href=layer) if layer else exercise.layer
    return element(
        "li",
        element("strong", exercise.name),
        f" {exercise.title} ",
        element("span", exercise.kind, ": ", name, class_="kind"),
        element("p", inline(exercise.task, context)),
        id=exercise.name,
    )
