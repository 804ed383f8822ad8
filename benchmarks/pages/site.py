"""The site as a whole: all pages are built in a new folder beside the old one, which then takes its place."""

import contextlib
import hashlib
import importlib.util
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks import files, lessons
from benchmarks.errors import Failure, shown
from benchmarks.runs import folder as folders

PACKAGES = ("markdown_it", "mdit_py_plugins", "pygments", "latex2mathml")
EXTRA = "pip install '.[pages]' in the project's folder"
MARK = ".backprop-pages"
STATIC = ("style.css", "script.js")
PNG, HEAD = b"\x89PNG\r\n\x1a\n", 24  # a PNG's first bytes, and where its width and height end
LARGEST = 1 << 26
ASSETS = Path(__file__).parents[2] / ".assets"


def check(out: Path, figures: Path | None) -> None:
    """Raise ``Failure`` unless a site could be written to ``out``; nothing is written."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(f"the pages need the pages extra ({', '.join(missing)} not found): {EXTRA}")
    if figures is not None and not figures.is_dir():
        raise Failure(f"--figures: {shown(figures)} is not a folder")
    for path in _figures(figures):
        try:
            with files.open_regular(path) as file:
                head = file.read(HEAD)
        except FileNotFoundError:
            head = b""  # a broken link
        if len(head) < HEAD or not head.startswith(PNG):
            raise Failure(f"--figures: {shown(path)} is not a PNG file")
    if os.path.lexists(out):
        _check_ours(out, out)
    parent = next(folder for folder in out.absolute().parents if os.path.lexists(folder))
    if not parent.is_dir():
        raise Failure(f"cannot write to {shown(out)}: {shown(parent)} is not a folder; choose another --out")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise Failure(f"cannot write to {shown(out)}: {shown(parent)} is not writable; choose another --out")


def _check_ours(folder: Path, out: Path) -> None:
    """Raise ``Failure`` unless ``out``, which is called ``folder`` now, is empty or an earlier, unedited site."""
    if folder.is_symlink() or not folder.is_dir():
        raise Failure(f"{shown(out)} is not a folder; choose another --out")
    if not any(folder.iterdir()):
        return
    try:
        known = files.read_json(folder / MARK)
    except Failure:
        raise Failure(f"{shown(out)} is not empty, and not an earlier site of ours; choose another --out") from None
    for name in sorted(_names(folder) - {MARK}):
        if name not in known:
            raise Failure(f"{shown(out)} holds {shown(name)}, which is not part of the site; choose another --out")
        if _sha256(folder / name) != known[name]:
            raise Failure(f"{shown(out / name)} was edited, and is not replaced; choose another --out, or remove it")


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def _sha256(path: Path) -> str | None:
    """Return the checksum of a regular file, None for anything else."""
    if path.is_symlink() or not path.is_file():
        return None
    return hashlib.sha256(files.read_bytes(path, LARGEST)).hexdigest()


def write(out: Path, figures: Path | None) -> int:
    """Write the site, in place of an earlier one; return the number of its pages.

    Parameters
    ----------
    out : Path
    figures : Path or None
        The folder with the lessons' figures.

    Raises
    ------
    Failure
        If ``out`` holds anything else, or cannot be written to.
    """
    check(out, figures)
    with folders.making(out.absolute().parent), _beside(out) as folder:
        count = _fill(folder, figures)
        files.write_json(folder / MARK, {name: _sha256(folder / name) for name in sorted(_names(folder))})
        check(out, figures)  # the folder may have changed meanwhile
        _swap(folder, out)
    return count


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Make a folder beside ``out``; what is left of it at the end is removed."""
    folder = _sibling(out, ".tmp")
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _swap(new: Path, out: Path) -> None:
    """Give ``new`` the name of ``out``; if that fails, the old folder keeps it."""
    if not os.path.lexists(out):
        new.rename(out)
        return
    old = _sibling(out, ".old")
    try:
        out.rename(old)
        _check_ours(old, out)  # again, now that nobody can find it
        new.rename(out)
    finally:
        if not os.path.lexists(out):
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _sibling(out: Path, suffix: str) -> Path:
    """Return an unused name beside ``out``."""
    return out.absolute().with_name(f".{out.absolute().name}.{secrets.token_hex(8)}{suffix}")


def _fill(folder: Path, figures: Path | None) -> int:
    from benchmarks.pages.frame import framed
    from benchmarks.pages.lesson_page import FIGURES

    pages = _pages(figures)
    for place, page in enumerate(pages):
        path = folder / page.path
        path.parent.mkdir(parents=True, exist_ok=True)
        before = pages[place - 1] if place else None
        after = pages[place + 1] if place + 1 < len(pages) else None
        path.write_text(framed(page, before, after), encoding="utf-8")
    for name in STATIC:
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    for path in _figures(figures):
        (folder / FIGURES).mkdir(exist_ok=True)
        (folder / FIGURES / path.name).write_bytes(files.read_bytes(path, LARGEST))
    return len(pages)


def _figures(folder: Path | None) -> list[Path]:
    from benchmarks.pages.lesson_page import figures_of

    return [path for name in lessons.NAMES for path in figures_of(name, folder)]


def _pages(figures: Path | None) -> list:
    """Return all pages in their order: index, course, layers, losses and optimizers, exercises, museum."""
    from benchmarks.pages import exercises, mistakes
    from benchmarks.pages.discovery import topics
    from benchmarks.pages.frame import root_of
    from benchmarks.pages.index_page import index_page
    from benchmarks.pages.lesson_page import lesson_page, path_of
    from benchmarks.pages.speed import Speed
    from benchmarks.pages.topic_page import topic_page

    found, speed = topics(), Speed()
    addresses = {path: path for path in (exercises.PATH, mistakes.PATH)}
    for topic in found:
        addresses |= dict.fromkeys((topic.module.__name__, topic.file), topic.path)
        for cls in topic.classes:
            addresses[cls.__name__] = f"{topic.path}#{cls.__name__}"
        for one in topic.derivations:
            addresses.setdefault(one.name, f"{topic.path}#{one.name}")
    for name in lessons.NAMES:
        file = f"benchmarks/lessons/{name.replace('-', '_')}.py"
        addresses |= dict.fromkeys((file, f"backprop lesson {name}"), path_of(name))

    def links(path: str) -> dict[str, str]:
        return {name: root_of(path) + address for name, address in addresses.items()}

    pages = [index_page(found, addresses)]
    pages += [lesson_page(name, links(path_of(name)), figures) for name in lessons.NAMES]
    pages += [topic_page(topic, links(topic.path), speed) for topic in found]
    pages.append(exercises.exercises_page(links(exercises.PATH)))
    return [*pages, mistakes.museum_page(links(mistakes.PATH))]
