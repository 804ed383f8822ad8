"""What forward reads each time from a file or a pickle: no object holds these numbers, so that none can be moved."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from parity_tests.diagnosis.reading import holders, running

CODE = (".py", ".pyc", ".so", ".pyd")
PICKLE = "pickle"
_heard: list[dict[str, None]] = []
_hooked: list[bool] = []


@contextlib.contextmanager
def read() -> Iterator[dict[str, None]]:
    """Return the names of what the learner's code reads meanwhile, as the keys of a dictionary."""
    if not _hooked:
        sys.addaudithook(_hear)  # it cannot be removed
        _hooked.append(True)
    _heard.append({})
    try:
        yield _heard[-1]
    finally:
        _heard.pop()


def _hear(event: str, given: tuple) -> None:
    if not _heard or event not in ("open", "pickle.find_class"):
        return
    name = PICKLE
    if event == "open":
        path, mode, _ = given
        if not isinstance(path, str | bytes | os.PathLike) or not str(mode).startswith("r"):
            return
        name = Path(os.fsdecode(path)).name
    if not name.endswith(CODE) and _is_theirs():
        _heard[-1][name] = None


def _is_theirs() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(str(running.ROOT / "parity_tests" / "diagnosis" / "reading")):
            return False
        if "site-packages" not in file and running.is_theirs(file) and not file.startswith(holders.ENGINES):
            return True
        frame = frame.f_back
    return False
