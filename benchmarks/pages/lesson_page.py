"""The page of a lesson: its text, its formulas as the course's page writes them, its figures and its code."""

import inspect
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from benchmarks import lessons
from benchmarks.pages import code, docstring
from benchmarks.pages.docstring import Displayed, Legend, Prose
from benchmarks.pages.frame import Page, root_of
from benchmarks.pages.html import Html, element, join
from benchmarks.pages.markdown import Section, sections
from benchmarks.pages.prose import Context, displayed, inline, paragraph

FIGURES = "figures"
COURSE = Path(lessons.__file__).with_name("README.md")
ASIDE = re.compile(r"(?P<title>In reinforcement learning|Takeaways?)[.:]\s+", re.IGNORECASE)


def path_of(name: str) -> str:
    """Return the path of a lesson's page."""
    return f"lessons/{name}.html"


def lesson_page(name: str, links: dict[str, str], figures: Path | None) -> Page:
    """Return a lesson's page.

    Parameters
    ----------
    name : str
    links : dict
        Addresses by name, relative to this page.
    figures : Path or None
        The folder of the figures, as ``backprop lesson all --out`` leaves it.
    """
    lesson = lessons.get(name)
    title, sentence = docstring.title_of(lesson.__doc__)
    context = Context(links)
    said = next((one for one in sections(COURSE, links) if _file(lesson) in one.source), None)
    parts = [_head(name, title, sentence, context)]
    if said is not None:
        parts.append(element("section", said.body, id="short", class_="short", aria_label="In short"))
    parts.append(element("section", *_text(lesson, context), id="lesson", class_="lesson"))
    parts.append(_figures(name, said, figures, root_of(path_of(name))))
    parts.append(element("section", element("h2", "The code"), *_code(name, lesson), id="code"))
    contents = (("short", "In short"),) if said is not None else ()
    contents += (("lesson", "The lesson"), ("figures", "Figures"), ("code", "The code"))
    return Page(path_of(name), title, sentence or f"{title}.", "course", join(parts), contents)


def _file(lesson: ModuleType) -> str:
    return f"{lesson.__name__.replace('.', '/')}.py"


def _code(name: str, lesson: ModuleType) -> Iterator[Html]:
    """Yield the lesson's own code, and that of the lesson files it tells the reader to read."""
    sources = {_file(lesson): inspect.getsource(lesson).split('"""', 2)[2].strip("\n")}
    for file in re.findall(r"benchmarks/lessons/[\w/]+\.py", lessons.text(name).read):
        sources[file] = (COURSE.parents[2] / file).read_text(encoding="utf-8")
    for file, source in sources.items():
        yield element("details", element("summary", element("code", file)), code.block(source))


def _head(name: str, title: str, sentence: str, context: Context) -> Html:
    place = lessons.NAMES.index(name) + 1
    lead = sentence[:1].upper() + sentence[1:]
    return element(
        "header",
        element("p", f"Lesson {place} of {len(lessons.NAMES)}", class_="file"),
        element("h1", title),
        element("p", inline(lead, context), class_="lead") if lead else None,
        class_="title",
    )


def _text(lesson: ModuleType, context: Context) -> list[Html]:
    found: list[Html] = []
    for block in docstring.blocks(lesson.__doc__, []):
        if isinstance(block, Displayed | Legend):
            found.append(displayed(Displayed(block.lines), context))
        elif isinstance(block, Prose):
            found.append(_paragraph(block.text, context))
    return found


def _paragraph(text: str, context: Context) -> Html:
    aside = ASIDE.match(text)
    if aside:
        head = element("h2", aside["title"])
        return element("aside", head, element("p", inline(text[aside.end() :], context)), class_="callout")
    if text.startswith("Next: "):
        return element("p", element("strong", "Next "), inline(text.removeprefix("Next: "), context))
    if text.startswith("Read: "):
        read, _, run = text.partition("\nRun: ")
        words = element("p", element("strong", "Read "), inline(read.removeprefix("Read: "), context))
        return element("footer", words, code.command(run.strip()) if run else None, class_="further")
    return paragraph(text, context)


def _figures(name: str, said: Section | None, folder: Path | None, root: str) -> Html:
    found = figures_of(name, folder)
    heading = element("h2", "Figures")
    if not found:
        note = element("p", "No figures here. The lesson draws them; the second command makes the pages with them:")
        commands = "backprop lesson all --out runs/course\nbackprop pages --out SITE --figures runs/course"
        return element("section", heading, note, code.command(commands), id="figures")
    shown = []
    for path in found:
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        words = said.images.get(path.name) if said is not None else None
        words = words or path.stem.replace("_", " ")
        image = element(
            "img", src=f"{root}{FIGURES}/{path.name}", alt=words, width=width, height=height, loading="lazy"
        )
        shown.append(element("figure", image, element("figcaption", words)))
    return element("section", heading, *shown, id="figures", class_="figures")


def figures_of(name: str, folder: Path | None) -> list[Path]:
    """Return a lesson's figures: the files whose names begin with the lesson's."""
    if folder is None:
        return []
    name = name.replace("-", "_")
    return [path for path in sorted(folder.glob(f"{name}*.png")) if re.fullmatch(rf"{name}(_\w+)?", path.stem)]
