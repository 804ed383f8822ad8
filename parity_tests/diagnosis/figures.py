"""How much the check finds in the collection of learners' layers and in the museum, in figures."""

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from parity_tests.diagnosis.collection.twins import SUBJECTS, Subject, Twin
from parity_tests.diagnosis.examine import examine
from parity_tests.diagnosis.reading.running import NotUnderstoodError
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.museum.exhibit import EXHIBITS, LayerExhibit

HERE = Path(__file__).parent / "collection"
LOCATED = re.compile(r"(?:The first wrong line is|Something is missing in what) line (\d+)")
DESCRIPTIONS = (
    "in our derivation",
    "this is what the museum's",
    "is the expected ",
    "differs only",
    "backward is ",
    "right to six digits",
    "the right numbers in another",
)


@dataclass
class Figures:
    """Counts, and the names of what went wrong."""

    right: int = 0
    as_written: int = 0
    accused: list[str] = field(default_factory=list)
    unmentioned: list[str] = field(default_factory=list)
    wrong: int = 0
    missed: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    lines: int = 0
    elsewhere: list[str] = field(default_factory=list)
    misleading: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return the figures as a table."""
        named, located = self.wrong - len(self.nameless), self.lines - len(self.elsewhere)
        forms = len({subject.file for subject in SUBJECTS})
        rows = [
            ("right layers, losses, optimizers and initializers", f"{self.right}, in {forms} forms"),
            ("taken as written", f"{self.as_written} of {self.right}"),
            ("accused", f"{len(self.accused)} of {self.right}"),
            ("arrays that they learn, neither seen nor mentioned", f"{len(self.unmentioned)}"),
            ("their wrong twins", f"{self.wrong}"),
            ("detected", f"{self.wrong - len(self.missed)} of {self.wrong}"),
            ("the mistake named in words", f"{named} of {self.wrong}"),
            ("mistakes in a line of backward: the first wrong line named", f"{located} of {self.lines}"),
            ("sentences that mislead", f"{len(self.misleading)}"),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {words} | {count} |" for words, count in rows)])


def measure() -> Figures:
    """Run the whole collection."""
    figures = Figures()
    for subject in SUBJECTS:
        _measure_right(subject, figures)
        for number, twin in enumerate(subject.twins):
            _measure_wrong(subject, number, twin, figures)
    return figures


def overlooked() -> tuple[int, list[str]]:
    """Return how many of the museum's layers PyTorch's numbers should catch, and the names of those that get away."""
    asked = [one for one in EXHIBITS if isinstance(one, LayerExhibit) and "torch" in one.caught]
    missed = [one.name for one in asked if not one.differs_from_torch(one.wrong) or one.differs_from_torch(one.right)]
    return len(asked), missed


def run(subject: Subject, source: str) -> Verdict:
    """Return the verdict on a subject with the given source."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / subject.file
        path.write_text(source)
        try:
            return examine(Request(path=path, names=subject.names, **{"inputs": [], **subject.options}))
        except NotUnderstoodError as error:
            return Verdict(2, str(error))


def _measure_right(subject: Subject, figures: Figures) -> None:
    name = f"{subject.file}:{subject.names}"
    verdict = run(subject, (HERE / subject.file).read_text())
    figures.right += 1
    figures.as_written += verdict.status != 2
    if verdict.status == 1:
        figures.accused.append(name)
    if verdict.learner is not None and len(verdict.learner.reading.learned) != subject.learns:
        figures.unmentioned.append(name)


def _measure_wrong(subject: Subject, number: int, twin: Twin, figures: Figures) -> None:
    name = f"{subject.file}:{subject.names} #{number}"
    source = (HERE / subject.file).read_text()
    at = _position(source, subject, twin)
    verdict = run(subject, source[:at] + twin.wrong + source[at + len(twin.right) :])
    figures.wrong += 1
    if verdict.status != 1:
        figures.missed.append(name)
    if not any(words in verdict.text for words in twin.words):
        figures.nameless.append(name)
    for sentence in _sentences(verdict.text):
        if not any(words in sentence for words in (*twin.words, *DESCRIPTIONS)):
            figures.misleading.append(f"{name}: {sentence}")
    if twin.line:
        figures.lines += 1
        found = LOCATED.search(verdict.text)
        stripped = len(twin.right) - len(twin.right.lstrip("\n "))
        line = source[: at + stripped].count("\n") + 1
        if not found or int(found[1]) != line:
            figures.elsewhere.append(f"{name}: line {line}, {found[1] if found else 'none'}")


def _position(source: str, subject: Subject, twin: Twin) -> int:
    # Finds the text in the right class or function: some files have the same text in several.
    start = source.index(f"class {subject.names}") if f"class {subject.names}" in source else 0
    at = source.find(twin.right, start)
    at = at if at >= 0 else source.find(twin.right)
    if at < 0:
        raise ValueError(f"{subject.file}: {twin.right!r} is not in it")
    return at


def _sentences(text: str) -> Iterator[str]:
    yield from (line for line in text.splitlines() if line.startswith("-> "))
