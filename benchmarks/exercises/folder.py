"""A learner's folder: what is written into it, and what it remembers. A learner's file is never overwritten."""

import ast
import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import files
from benchmarks.errors import ADVICE, Failure, UsageError, pasteable, shown
from benchmarks.exercises import catalogue
from benchmarks.exercises.exercise import Exercise
from benchmarks.runs import lock
from benchmarks.runs.folder import making

PROGRESS, README, MADE_BY, VERSION = "progress.json", "README.md", "backprop exercises", 1
DEFAULT = Path("exercises")
SEAL = b"\n<!-- written by backprop exercises, and replaced by it until you edit it: %s -->\n"
LARGEST_README = 1 << 24
PATIENCE = 10  # seconds that a command waits for another one that is writing


@dataclass
class Folder:
    """A folder of exercises.

    Attributes
    ----------
    path : Path
    """

    path: Path

    def file(self, exercise: Exercise) -> Path:
        """Return where an exercise's file is, or should be; its number may be that of an older version."""
        path = self.path / catalogue.file_name(exercise)
        return next(iter(sorted(self.path.glob(f"[0-9][0-9]_{exercise.name}.py"))), path)

    def command(self, *words: str) -> str:
        """Return a command for this folder, to be pasted in the directory where the folder was named or found."""
        where = () if self.path in (Path("."), DEFAULT) else (f"--dir={self.path}",)
        return pasteable(["backprop", "exercises", *words, *where])

    def found(self, exercise: Exercise) -> Path:
        """Return an exercise's file.

        Raises
        ------
        Failure
            If it is missing; the message names a file that looks like it under another name.
        """
        path = self.file(exercise)
        if path.is_file():
            return path
        other = next((one for one in sorted(self.path.glob("*.py")) if _name_in(one) == exercise.name), None)
        if other is not None:
            raise Failure(f"{shown(path)} is missing; {other.name} looks like it: rename it to {path.name}")
        raise Failure(
            f"{shown(path)} is missing (if you renamed it, undo that); to write it again, "
            f"{ADVICE}{self.command('reset', exercise.name)}"
        )

    # Progress.

    def progress(self) -> dict[str, dict]:
        """Return what is recorded about each exercise, by name.

        Raises
        ------
        Failure
            If the file is damaged, or from another version.
        """
        content = files.read_json(self.path / PROGRESS)
        if content.get("made_by") != MADE_BY:
            raise Failure(f"{shown(self.path)} is not a folder of exercises: its {PROGRESS} belongs to something else")
        if content.get("version") != VERSION:
            raise Failure(
                f"{shown(self.path)} is from another version of the exercises ({content.get('version')!r}; this one is "
                f"{VERSION}), and is left as it is; `backprop exercises start --out NEW` makes a new one"
            )
        exercises = content.get("exercises")
        if not isinstance(exercises, dict) or not all(isinstance(one, dict) for one in exercises.values()):
            raise Failure(
                f"{shown(self.path / PROGRESS)} is damaged; move it away and run `backprop exercises start --out "
                f"{shown(self.path)}`: your files stay as they are, and `check` finds again what is solved"
            )
        return exercises

    def remember(self, exercise: Exercise, **what: object) -> None:
        """Record something about an exercise."""
        with self.held():
            self._remember({exercise.name: what})

    def _remember(self, what: dict[str, dict]) -> None:
        exercises = self.progress()
        self._write(exercises | {name: exercises.get(name, {}) | new for name, new in what.items()})

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands from writing during the ``with`` block; wait for one that is writing now.

        Raises
        ------
        Failure
            If that takes too long.
        """
        until = time.monotonic() + PATIENCE
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock.locked(self.path))
                    break
                except Failure:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)
            yield

    def _write(self, exercises: dict[str, dict]) -> None:
        content = {"made_by": MADE_BY, "version": VERSION, "exercises": exercises}
        files.write_json(self.path / PROGRESS, content)

    def solved(self) -> set[str]:
        """Return the names of the exercises that are solved."""
        return {name for name, one in self.progress().items() if one.get("solved") is True}

    def next(self) -> Exercise | None:
        """Return the first exercise that is not solved."""
        solved = self.solved()
        return next((one for one in catalogue.all_exercises() if one.name not in solved), None)

    def is_outdated(self, exercise: Exercise) -> bool:
        """Return whether an exercise has changed since its file was written."""
        written = self.progress().get(exercise.name, {}).get("sheet")
        return written is not None and written != fingerprint(exercise)

    # Files.

    def add_missing(self) -> list[Exercise]:
        """Write the missing files, and return their exercises; the caller holds the folder."""
        from benchmarks.exercises import sheets

        added = []
        for exercise in catalogue.all_exercises():
            if not os.path.lexists(self.file(exercise)):
                files.write_new(self.file(exercise), sheets.sheet(exercise).encode())
                added.append(exercise)
        self._write_readme(sheets.readme().encode())
        self._remember({exercise.name: {"sheet": fingerprint(exercise)} for exercise in added})
        return added

    def _write_readme(self, content: bytes) -> None:
        """Write the folder's README, or replace one that this command wrote and nobody has edited since."""
        path, content = self.path / README, content + SEAL % _sha256(content)
        if not os.path.lexists(path):
            files.write_new(path, content)
        elif not path.is_symlink() and path.is_file():
            before, seal = _split(files.read_bytes(path, LARGEST_README))
            if seal == SEAL % _sha256(before):
                files.write_bytes(path, content)

    def reset(self, exercise: Exercise) -> Path | None:
        """Write an exercise's file anew; return where the learner's version is kept, None if there is none."""
        from benchmarks.exercises import sheets

        path, kept, sheet = self.file(exercise), None, sheets.sheet(exercise).encode()
        if path.is_file() and path.read_bytes() == sheet:
            return None
        if os.path.lexists(path):
            kept = next(one for one in _kept(path) if not os.path.lexists(one))
            os.rename(path, kept)
        files.write_new(path, sheet)
        self.remember(exercise, sheet=fingerprint(exercise))
        return kept


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Return a README's text, and the line that seals it."""
    place = len(content) - len(SEAL % _sha256(b""))
    return content[: max(place, 0)], content[max(place, 0) :]


def _kept(path: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield path.with_name(f"{path.stem}.kept{number}")
        number += 1


def _name_in(path: Path) -> str:
    try:
        text = ast.get_docstring(ast.parse(path.read_text(errors="replace"))) or ""
    except (SyntaxError, ValueError, OSError):
        return ""
    return text.partition(":")[0]


def fingerprint(exercise: Exercise) -> str:
    """Return a short hash that changes when the exercise does, but not when others are added."""
    from benchmarks.exercises import sheets

    text = re.sub(r"(?m)^Exercise \d+ of \d+, ", "", sheets.sheet(exercise))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def start(path: Path) -> tuple[Folder, list[Exercise]]:
    """Make a folder of exercises, or add new ones to it; return the exercises whose files were written.

    Raises
    ------
    Failure
        If the folder holds other things.
    """
    folder = Folder(path)
    if os.path.lexists(path) and not path.is_dir():
        raise Failure(f"{shown(path)} is not a folder; choose another --out")
    if path.is_dir():
        _check_ours(folder)
    with making(path), folder.held():
        _check_ours(folder)
        if not os.path.lexists(path / PROGRESS):
            folder._write({})
        return folder, folder.add_missing()


def _check_ours(folder: Folder) -> None:
    """Raise ``Failure`` unless a folder is empty, or one of exercises; another command may be writing in it."""
    inside = {
        one.name
        for one in folder.path.iterdir()
        if one.name != lock.NAME and not files.is_temporary(one, re.escape(PROGRESS))
    }
    if PROGRESS in inside:
        folder.progress()
    elif inside and not {catalogue.file_name(one) for one in catalogue.all_exercises()} & inside:
        raise Failure(f"{shown(folder.path)} holds other things, and is left as it is; choose another --out")


def opened(path: Path | None) -> Folder:
    """Return the folder of exercises at a path: by default the current directory, or ``exercises`` in it.

    Raises
    ------
    UsageError
        If it is not there.
    """
    places = [path] if path is not None else [Path("."), DEFAULT]
    for place in places:
        if (place / PROGRESS).is_file() and (path is not None or _is_ours(place / PROGRESS)):
            return Folder(place)
    if path is not None and path.is_dir():
        raise UsageError(f"{shown(path)} is not a folder of exercises: it has no {PROGRESS}")
    where = shown(path) if path is not None else "this folder or ./exercises"
    raise UsageError(f"no exercises in {where}; `backprop exercises start` writes them")


def _is_ours(path: Path) -> bool:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return path.parent == DEFAULT  # damaged: the message about that is better than none
    return isinstance(content, dict) and content.get("made_by") == MADE_BY
