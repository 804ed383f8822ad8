"""A folder belongs to one process at a time: a lock that the system releases when its holder ends, however it ends.

The lock is the system's lock on an open file (flock, or its counterpart on Windows), so a killed process leaves a file
that nobody holds, and the next process takes it. The file is removed on release, while it is still held; a process that
opened it before then sees that it has lost its name, and opens the new one.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.errors import Failure, shown

NAME = ".backprop.lock"
# A holder writes its process number right after it takes the lock, and `is_locked` lets go at once. So a lock without a
# number is tried again, for this many seconds.
UNSIGNED_FOR = 1.0


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder inside the ``with`` block.

    Raises
    ------
    Failure
        If another process holds it.
    OSError
        If no file can be created in the folder.
    """
    path = folder / NAME
    descriptor = _take(path)
    try:
        yield
    finally:
        if os.name == "posix":
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)
        else:  # an open file keeps its name there
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()


def _take(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    give_up_at = time.monotonic() + UNSIGNED_FOR
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Failure(f"{shown(path)} is not a lock file of this program; choose another folder")
            try:
                _lock(descriptor)
            except (BlockingIOError, PermissionError):
                holder = os.read(descriptor, 20).decode(errors="replace").strip()
                if holder or time.monotonic() > give_up_at:
                    who = f"process {holder}" if holder.isdecimal() else "another process"
                    raise Failure(f"{shown(path.parent)} is taken: {who} is working in it") from None
                time.sleep(0.001)
            else:
                if _is_at(descriptor, path):
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    # The holder before may have removed the file since it was opened here, or may remove it at any moment.
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def is_locked(folder: Path) -> bool:
    """Return whether another process holds the lock of a folder now; nothing is written."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(descriptor)
    return False


if os.name == "posix":
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

else:
    import msvcrt

    FAR = 1 << 30  # a byte that is not written: a locked one cannot be read there, and the holder's number is to be

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
