"""The exercises that belong to a file's layers."""

from benchmarks.pages.discovery import Topic
from benchmarks.pages.html import Html


def exercises(topic: Topic) -> Html | None:
    """Return the exercises on a file's layers; None where there is none."""
    return None
