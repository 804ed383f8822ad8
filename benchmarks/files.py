"""Files are written whole or not at all, never through a link, and are read without trusting them.

A file is written under an unused random name in the same folder, flushed to the disk, and then given its name:
`write_bytes` replaces a file that has this name, `write_new` refuses to. Neither replaces anything but a regular file
(no link, folder or device). The process remembers what `write_bytes` wrote, so that it never removes a file that
somebody else put there.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from benchmarks.errors import Failure, shown

TEMPORARY = r"\.(?P<name>.+)\.[0-9a-f]{16}\.tmp"  # what a kill in the middle of a write leaves
LARGEST_JSON = 1 << 28
KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISLNK: "a symbolic link",
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}

_written: dict[Path, tuple[int, int]] = {}  # device and number of the file, which a replacement does not share


# Writing.


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file with this content, in place of the one before.

    Raises
    ------
    OSError
        If it cannot be written; the file before is still there.
    Failure
        If ``path`` exists and is not a regular file.
    """
    with naming(path):
        refuse_special(path)
        temporary = _write_temporary(path, content)
        try:
            written = os.lstat(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    _written[path.absolute()] = (written.st_dev, written.st_ino)
    flush_names(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write a file with this content; nothing may have this name yet.

    Raises
    ------
    OSError
        If it cannot be written.
    Failure
        If something has this name.
    """
    with naming(path):
        temporary = _write_temporary(path, content)
        try:
            os.link(temporary, path)  # unlike a rename, it fails where the name is taken
        except FileExistsError:
            raise Failure(taken(path)) from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
                raise
            check_new(path)  # a file system without hard links
            os.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    flush_names(path.parent)


def check_new(path: Path) -> None:
    """Raise ``Failure`` unless a file called ``path`` could be made now; nothing is written.

    For commands that compute before they write.
    """
    if os.path.lexists(path):
        raise Failure(taken(path))
    if not path.parent.is_dir():
        raise Failure(f"cannot write {shown(path)}: there is no folder {shown(path.parent)}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Failure(f"cannot write {shown(path)}: {shown(path.parent)} is not writable")


def taken(path: Path) -> str:
    """Say that a name is taken, and what to do about it."""
    return f"{shown(path)} exists already, and is not overwritten; choose another name, or remove it"


def remove_written(path: Path) -> None:
    """Remove a file, if it is one that this process wrote."""
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if _written.get(path.absolute()) == (found.st_dev, found.st_ino):
            path.unlink()


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make an ``OSError`` from inside the ``with`` block say which file it is about."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename, error.filename2 = str(path), None
        raise


def _write_temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def flush_names(folder: Path) -> None:
    """Flush a folder's list of files to the disk, where the system can (Windows cannot open folders)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: object) -> None:
    """Replace a file with plain numbers, strings, lists and dicts, as JSON."""
    write_bytes(path, encode_json(content))


def encode_json(content: object) -> bytes:
    """Return plain numbers, strings, lists and dicts as JSON; a number that is not finite becomes null."""
    return (json.dumps(finite(content), indent=1, allow_nan=False) + "\n").encode()


def finite(content: object) -> object:
    """Return a copy of plain values, with None in place of every number that is not finite."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


# Reading.


def refuse_special(path: Path) -> None:
    """Raise ``Failure`` if ``path`` exists and is not a regular file."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            raise Failure(f"{shown(path)} is {kind(mode)}, and is not replaced by a file")


def kind(mode: int) -> str:
    """Return in words what a file that is not regular is, from its mode."""
    return next((words for asks, words in KINDS.items() if asks(mode)), "not a regular file")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, following links; a pipe or a device is refused, without waiting for it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    Failure
        If it is not a regular file, or cannot be read.
    """
    try:
        # Check before opening, because merely opening a device may have an effect; check again after it, because the
        # name may have passed to another file in between.
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISREG(mode):
                return open(descriptor, "rb")
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Failure(f"cannot read {shown(path)}: {error.strerror}") from None
    raise Failure(f"{shown(path)} is {kind(mode)}; expected a file")


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file of at most ``most`` bytes, whatever is written to it meanwhile."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Failure(f"{shown(path)} is damaged: expected at most {most} bytes, got more")
    return content


def read_json(path: Path, sha256: str | None = None) -> dict:
    """Read a JSON object from a file, which must have the checksum if one is given.

    Raises
    ------
    Failure
        If the file is missing, does not have the checksum, or is not one JSON object without repeated names.
    """
    try:
        encoded = read_bytes(path, LARGEST_JSON)
        content = parse_json(encoded)
    except FileNotFoundError:
        raise Failure(missing(path)) from None
    except ValueError as error:
        raise Failure(f"{shown(path)} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise Failure(f"{shown(path)} is damaged: expected an object, got {type(content).__name__}")
    if sha256 is not None and hashlib.sha256(encoded).hexdigest() != sha256:
        raise Failure(f"{shown(path)} is damaged: its content does not match its checksum")
    return content


def missing(path: Path) -> str:
    """Say that a file of a run is missing."""
    return f"{shown(path)} does not exist; is {shown(path.parent)} the folder of a run?"


def parse_json(content: bytes | str) -> object:
    """Read strict JSON: UTF-8, no NaN and no infinity, no name twice in an object.

    Raises
    ------
    ValueError
        If it is anything else.
    """

    def once(pairs: list[tuple[str, object]]) -> dict:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name occurs twice in one object")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a JSON number")

    text = content.decode() if isinstance(content, bytes) else content
    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except RecursionError:
        raise ValueError("objects are nested too deeply") from None


def is_temporary(path: Path, names: str) -> bool:
    """Return whether ``path`` was left by a killed write of a file whose name matches the expression ``names``."""
    found = re.fullmatch(TEMPORARY, path.name)
    return found is not None and re.fullmatch(names, found["name"]) is not None and not path.is_symlink()
