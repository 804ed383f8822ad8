"""Run somebody else's code: its errors are reported as its own, and its warnings and prints do not bury the report."""

import contextlib
import io
import os
import random
import signal
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
OURS = tuple(
    str(path)
    for path in (
        *(path for path in (ROOT / "parity_tests" / "diagnosis").iterdir() if path.name != "collection"),
        ROOT / "parity_tests" / "harness",
        *(ROOT / "scratch" / f"{name}.py" for name in ("tape", "vjp", "gradcheck", "checks")),
        Path(np.__file__).resolve().parent,
        Path(random.__file__).resolve().parent,
    )
)

ENDING = {
    f"{os.sep}unittest{os.sep}": "unittest.main()",
    f"{os.sep}argparse.py": "argparse, which found a required argument missing from the empty command line,",
}
"""What of Python's own ends a program, by where it does so."""


def is_theirs(file: str) -> bool:
    """Return whether a file is the learner's: not ours, not NumPy's, not Python's own."""
    return not file.startswith((*OURS, "<"))


class LearnerRaisedError(Exception):
    """The code under test raised, or ended the program; the message says where, in its own lines.

    ``returned`` is what it returned instead of an array, and ``call`` says how it was called, where that was made up.
    """

    def __init__(self, message: str, returned: object = None) -> None:
        super().__init__(message)
        self.returned, self.call = returned, ""


class NotUnderstoodError(Exception):
    """The call makes no sense, or the form of the code is not understood; ``adapter`` is a way to write it."""

    def __init__(self, message: str, adapter: str = "") -> None:
        super().__init__(message)
        self.adapter = adapter


class Interruption:
    """Ctrl-C ends a check even if the code under test catches ``KeyboardInterrupt``: at its next return, or at once."""

    def __init__(self) -> None:
        self.pressed = False

    @contextlib.contextmanager
    def __call__(self, line: str) -> Iterator[None]:
        """Listen; the second Ctrl-C prints ``line`` and ends the process."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def press(number: int, frame: types.FrameType | None) -> None:
            if self.pressed:
                os.write(2, f"{line}\n".encode())
                os._exit(130)
            self.pressed = True
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.pressed = False


INTERRUPTION = Interruption()


@contextlib.contextmanager
def blaming(doing: str) -> Iterator[None]:
    """Turn what the learner's code raises into a sentence that gives the learner's line."""
    try:
        yield
        if INTERRUPTION.pressed:
            raise KeyboardInterrupt
    except (KeyboardInterrupt, LearnerRaisedError, NotUnderstoodError):
        raise
    except SyntaxError as error:
        raise LearnerRaisedError(f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}") from error
    except BaseException as error:
        if INTERRUPTION.pressed:
            raise KeyboardInterrupt from None
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if is_theirs(frame.filename)]
        said = f"{type(error).__name__}: {first_line(error)}"
        if isinstance(error, SystemExit):
            ended = next((words for file, words in ENDING.items() if any(file in f.filename for f in frames)), "this")
            said = f"{ended} ended the program (sys.exit({error.code!r})) during {doing}"
            said += "; nothing was compared. Put what the script does under if __name__ == '__main__':"
        if theirs:
            said = f"{theirs[-1].filename}:{theirs[-1].lineno}: in {theirs[-1].name}: {theirs[-1].line}\n{said}"
        else:
            said = f"{doing}: {said}"
        raise LearnerRaisedError(said) from error


def first_line(error: BaseException) -> str:
    """Return an error's message as one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Stage:
    """Where the learner's code runs: seeded, its warnings muted, what it prints shown the first few times only.

    Attributes
    ----------
    overflows : int
        How often a result of NumPy's was too large, so far.
    """

    def __init__(self, seed: int = 0, dtype: str = "", shows: int = 4) -> None:
        self.seed, self.dtype, self.shows = seed, dtype, shows
        self.overflows = 0

    @contextlib.contextmanager
    def __call__(self, doing: str, reseed: bool = False) -> Iterator[None]:
        """Run one call; ``reseed`` puts every generator that has no seed of its own back to the start."""
        fresh = np.random.default_rng
        if reseed:
            np.random.seed(self.seed)
            random.seed(self.seed)
        self.shows -= 1
        out = sys.stdout if self.shows >= 0 else io.StringIO()
        np.random.default_rng = lambda seed=None: fresh(self.seed if seed is None else seed)
        try:
            with (
                blaming(doing),
                contextlib.redirect_stdout(out),
                warnings.catch_warnings(),
                np.errstate(all="ignore", over="call", call=self._overflow),
            ):
                warnings.simplefilter("ignore")
                yield
        finally:
            np.random.default_rng = fresh

    def _overflow(self, kind: str, flag: int) -> None:
        self.overflows += 1
