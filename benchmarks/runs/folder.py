"""A run's folder: who may work in it, what it may hold at the start, and what is removed when a run fails.

A run's life:

1. Under way. Everything that can be refused is refused before the first byte is written. Then the folder is made and
   locked: one process at a time works in it (`benchmarks.runs.lock`). config.json is written before the first step,
   with an entry "unfinished" that says where the data are and how often to save. From time to time, if that was asked
   for, RUN/checkpoint.safetensors is replaced by a newer one (RUN/scratch/checkpoint.safetensors in a run of both; see
   `benchmarks.runs.checkpoint`). An engine that is done leaves its model.safetensors and its history.json.
2. Ended early. A run that cannot be resumed removes what it wrote, and its folder if that is empty then; one with a
   checkpoint, or with an engine that is done, stays as it is. A run that was killed stays too.
   ``backprop train --resume RUN`` goes on in the same folder.
3. Finished. config.json is replaced by one without "unfinished", and the checkpoints are removed. The figures come
   after that: they can be drawn again, by ``backprop train --resume RUN``.

Only files that have a run's own names, and that a run wrote, are ever removed.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks import files
from benchmarks.engines import NAMES
from benchmarks.errors import ADVICE, Failure, pasteable, shown
from benchmarks.runs import lock
from benchmarks.runs.settings import BOTH

CHECKPOINT = "checkpoint.safetensors"
OWN = r"config\.json|history\.json|(model|checkpoint)\.safetensors|[a-z_]+\.png"  # names that a run writes


def part(run: Path, engine: str, of: str) -> Path:
    """Return where one engine's files go in a run of ``of``, that engine or both."""
    return run / engine if of == BOTH else run


def check_free(path: Path) -> None:
    """Raise ``Failure`` unless a new run could have ``path`` as its folder now; nothing is written.

    What is left of a run that was killed before it wrote its config.json does not count.
    """
    if path.is_dir():
        if lock.is_locked(path):
            raise Failure(f"{shown(path)} is taken: another process is working in it; choose another --out")
        if is_unfinished(path):
            raise Failure(f"{shown(path)} holds an unfinished run; {how_to_resume(path)}")
        _check_empty(path)
    nearest = next(folder for folder in (path, *path.absolute().parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        raise Failure(f"cannot write to {shown(path)}: {shown(nearest)} is not a folder; choose another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise Failure(f"cannot write to {shown(path)}: {shown(nearest)} is not writable; choose another --out")


def _check_empty(path: Path) -> None:
    if any(not _is_left_by_a_kill(held) for held in path.iterdir()):
        raise Failure(f"{shown(path)} is not empty, and a run is never overwritten; choose another --out")


def _is_left_by_a_kill(path: Path) -> bool:
    return path.name == lock.NAME or files.is_temporary(path, OWN)


@contextlib.contextmanager
def new_folder(path: Path, numbered: bool = False) -> Iterator[Path]:
    """Make a run's folder, and hold it; if the run fails and cannot be resumed, remove what it wrote.

    Parameters
    ----------
    path : Path
    numbered : bool
        Whether to use path-2, path-3, ... if ``path`` exists already, instead of sharing it.

    Raises
    ------
    Failure
        If the folder holds something already, is another process's, or cannot be made or written to.
    """
    with making(path, numbered) as path, contextlib.ExitStack() as stack:
        with _failing(path):
            stack.enter_context(lock.locked(path))
            _check_empty(path)
            files.flush_names(path.parent)
        try:
            yield path
        except BaseException:
            if not is_resumable(path):
                _remove_files(path)
            raise


@contextlib.contextmanager
def making(path: Path, numbered: bool = False) -> Iterator[Path]:
    """Make a folder, and its parents, if they are missing; remove again those that are empty at the end.

    Parameters
    ----------
    path : Path
    numbered : bool
        Whether to make path-2, path-3, ... if ``path`` exists already.

    Raises
    ------
    Failure
        If the folder cannot be made or written to.
    """
    made: list[Path] = []
    try:
        with _failing(path):
            path = _make_numbered(path, made) if numbered else _make(path, made)
        yield path
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # not empty
                os.rmdir(folder)


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failure(f"cannot write to {shown(path)}: {error.strerror}; choose another --out") from None


def _make(path: Path, made: list[Path]) -> Path:
    for folder in reversed([path, *path.parents]):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
            made.append(folder)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return path


def _make_numbered(path: Path, made: list[Path]) -> Path:
    _make(path.parent, made)
    for number in itertools.count(1):
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(candidate)
            made.append(candidate)
            return candidate


def _remove_files(run: Path) -> None:
    for folder in (*(run / name for name in NAMES), run):
        if folder.is_dir():
            for held in folder.iterdir():
                files.remove_written(held)
    for name in NAMES:
        with contextlib.suppress(OSError):  # not there, or not empty
            os.rmdir(run / name)


@contextlib.contextmanager
def held(run: Path) -> Iterator[None]:
    """Hold the folder of a run that exists already.

    Raises
    ------
    Failure
        If another process holds it, or it cannot be written to.
    """
    with contextlib.ExitStack() as stack:
        with _failing(run):
            stack.enter_context(lock.locked(run))
        yield


def is_finished(run: Path) -> bool:
    """Return whether a folder holds a finished run, or an engine's finished part of one."""
    path = run / "config.json"
    return os.path.lexists(path) and "unfinished" not in files.read_json(path)


def is_unfinished(run: Path) -> bool:
    """Return whether a folder holds a run that began and is not finished."""
    path = run / "config.json"
    with contextlib.suppress(Failure):  # a damaged file is somebody else's
        return os.path.lexists(path) and "unfinished" in files.read_json(path)
    return False


def is_resumable(run: Path) -> bool:
    """Return whether a run holds anything that would otherwise have to be computed again."""
    folders = (run, *(run / name for name in NAMES))
    return any((folder / CHECKPOINT).exists() or is_finished(folder) for folder in folders)


def how_to_resume(run: Path) -> str:
    """Return the end of a message about an unfinished run: a command to paste that resumes it."""
    words = [f"--resume={run}"] if str(run).startswith("-") else ["--resume", str(run)]
    return f"{ADVICE}{pasteable(['backprop', 'train', *words])}"


def clean(run: Path) -> None:
    """Remove from a finished run its checkpoints, and what a kill in the middle of a write left."""
    for folder in (run, *(run / name for name in NAMES)):
        if folder.is_dir():
            for path in folder.iterdir():
                if path.is_file() and (path.name == CHECKPOINT or files.is_temporary(path, OWN)):
                    path.unlink()
