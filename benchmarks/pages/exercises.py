"""The exercises that belong to a file's layers."""

from benchmarks.exercises.catalogue import on_layer
from benchmarks.pages import code
from benchmarks.pages.discovery import Topic
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.prose import Context, inline


def exercises(topic: Topic, links: dict[str, str]) -> Html | None:
    """Return the exercises on a file's layers; None where there is none."""
    found = [one for cls in topic.classes for one in on_layer(cls.__name__)]
    if not found:
        return None
    context = Context(links, {}, frozenset())
    items = [
        element(
            "li",
            element("strong", one.name),
            f" {one.title} ",
            element("span", one.kind, class_="kind"),
            element("p", inline(one.task, context)),
        )
        for one in found
    ]
    commands = f"backprop exercises start\nbackprop exercises check {found[0].name}"
    return join([element("ul", *items, class_="exercises"), code.command(commands)])
