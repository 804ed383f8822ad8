"""The course as one Jupyter notebook: the lessons' own texts, and cells in the public API of both engines.

A section is a lesson: its text (see `benchmarks.lessons.text`), the formulas of its section in the course's README, and
the cells of the script with its name in `benchmarks.notebook.cells`. Each section imports what it needs.
"""

import hashlib
import importlib.util
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from benchmarks import files, lessons
from benchmarks.errors import Failure, shown
from benchmarks.lessons import Text

PACKAGES = ("nbformat", "nbclient", "ipykernel")
EXTRA = "pip install '.[notebook]' in the project's folder"
MARK = "backprop_reference"
LARGEST = 1 << 26
SCRIPTS = Path(__file__).with_name("cells")
COURSE = Path(lessons.__file__).with_name("README.md")

HEAD = """\
# Deep learning by hand, and by PyTorch

The course of this project as one notebook. Each section is a lesson: its text, and cells that you can run and change.
`scratch` is the engine by hand, in NumPy; `torch_ref` has the same networks on PyTorch. The notebook takes some minutes
from top to bottom, and needs no download. `backprop lesson NAME` computes more of each lesson, in both engines."""


def require() -> None:
    """Raise ``Failure`` unless the package that writes the format is installed."""
    if importlib.util.find_spec("nbformat") is None:
        raise Failure(f"the notebook needs the notebook extra (nbformat not found): {EXTRA}")


def build() -> bytes:
    """Return the notebook as the content of a file, the same each time."""
    from nbformat import v4, validate, writes

    sections = [("head", "markdown", HEAD), *(cell for name in lessons.NAMES for cell in section(name))]
    new = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell}
    made = [new[kind](source, id=f"{name}-{place}") for place, (name, kind, source) in enumerate(sections)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=made, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    notebook.metadata[MARK] = {"sha256": digest(notebook)}
    validate(notebook)
    return (writes(notebook) + "\n").encode()


def digest(notebook: dict) -> str:
    """Return the checksum of a notebook's sources, whatever their outputs are."""
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def check_replaceable(path: Path) -> bool:
    """Return whether ``path`` is new.

    Raises
    ------
    Failure
        If it exists, and is not a notebook that we made and that nobody has edited since.
    """
    files.refuse_special(path)
    if not path.exists():
        files.check_new(path)
        return True
    try:
        found = files.parse_json(files.read_bytes(path, LARGEST))
        ours = found["metadata"][MARK]["sha256"] == digest(found)
    except (ValueError, LookupError, TypeError, Failure):
        raise Failure(f"{shown(path)} is not a notebook of ours, and is not replaced; choose another --out") from None
    if not ours:
        raise Failure(f"{shown(path)} was edited, and is not replaced; choose another --out, or remove it")
    return False


def section(name: str) -> Iterator[tuple[str, str, str]]:
    """Yield a lesson's cells: its name, "markdown" or "code", and the source."""
    words = lessons.text(name)
    yield name, "markdown", markdown(words, formulas(name))
    for kind, source in runnable(name):
        yield name, kind, source
    yield name, "markdown", closing(words)


def runnable(name: str) -> Iterator[tuple[str, str]]:
    """Yield the cells of a lesson's script: "markdown" or "code", and the source."""
    script = (SCRIPTS / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")  # to import it would be to run it
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        first, _, source = part.partition("\n")
        if "[markdown]" in first:
            yield "markdown", re.sub(r"^# ?", "", source.strip(), flags=re.MULTILINE)
        else:
            yield "code", source.strip()


def formulas(name: str) -> str:
    """Return the displayed formulas of a lesson's section in the course's README."""
    parts = re.split(r"^## ", COURSE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    said = next((part for part in parts if f"lessons/{name.replace('-', '_')}.py" in part), "")
    return "\n\n".join(re.findall(r"\$\$.+?\$\$", said, flags=re.DOTALL))


def markdown(words: Text, displayed: str) -> str:
    """Return a lesson's heading and text as Markdown; what is indented in the text is shown as it is."""
    head = f"## {words.title}\n\n{words.about[:1].upper()}{words.about[1:]}".strip()
    return "\n\n".join([head, *([displayed] if displayed else []), *paragraphs(words.body)])


def closing(words: Text) -> str:
    """Return the text below a lesson's cells."""
    named = {
        "In reinforcement learning": words.in_rl,
        "Takeaways": words.takeaways,
        "Next": words.next,
        "Read": words.read,
    }
    found = []
    for title, part in named.items():
        first, *others = paragraphs(part)
        found += [f"**{title}.** {first}", *others]
    return "\n\n".join(found)


def paragraphs(body: str) -> list[str]:
    """Return a text's paragraphs as Markdown, indented lines as blocks of code."""
    found = []
    for paragraph in re.split(r"\n\s*\n", body):
        groups: list[tuple[bool, list[str]]] = []
        for line in paragraph.splitlines():
            indented = line.startswith("    ")
            if not groups or groups[-1][0] != indented:
                groups.append((indented, []))
            groups[-1][1].append(line)
        for indented, lines in groups:
            block = textwrap.dedent("\n".join(lines))
            found.append(f"```text\n{block}\n```" if indented else escaped(" ".join(lines)))
    return found


def escaped(prose: str) -> str:
    """Return prose with Markdown's special characters escaped; code between backticks stays."""
    parts = re.split(r"(`[^`]*`)", prose.replace("``", "`"))
    return "".join(part if part.startswith("`") else re.sub(r"([*_<$])", r"\\\1", part) for part in parts)
