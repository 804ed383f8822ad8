"""Run a learner's code in a separate process, so that nothing it does reaches this one."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import benchmarks
from benchmarks.exercises.exercise import Exercise, Explain
from benchmarks.exercises.grading.grade import grade
from benchmarks.exercises.grading.limits import WHOLE
from benchmarks.exercises.grading.verdict import BROKEN, Verdict

MOST_PRINTED = 2000
LINES = 6
ROOT = Path(benchmarks.__file__).parents[1]


def graded(exercise: Exercise, path: Path) -> Verdict:
    """Grade a file in a child process; the verdict includes what the file printed."""
    if isinstance(exercise, Explain):  # it is read, not run
        return grade(exercise, path)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "verdict.json")
        printed, ended = run("benchmarks.exercises.grading.child", [exercise.name, str(path), str(result)], WHOLE)
        if not result.is_file():
            return _nothing_came(path, printed, ended)
        verdict = Verdict(**json.loads(result.read_text()))
    verdict.lines = [(style, line) for style, line in verdict.lines]
    return _with_prints(verdict, path, printed)


def run(
    module: str, arguments: list[str], limit: float, show: Callable[[str], None] | None = None
) -> tuple[str, int | None]:
    """Run one of our modules in a child process; return the beginning of what it printed, and its exit status.

    The status is None if it took longer than ``limit`` seconds and was killed. ``show``, if given, is called with each
    line at once, and no line is returned.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", module, *arguments]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    kept: list[str] = []
    assert child.stdout is not None
    reader = threading.Thread(target=_read, args=(child.stdout, kept, show), daemon=True)
    reader.start()
    try:
        status: int | None = child.wait(limit)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    reader.join(5)
    return "".join(kept), status


def _read(pipe: IO[bytes], kept: list[str], show: Callable[[str], None] | None) -> None:
    # Read everything, so that the child never blocks on a full pipe; keep only the beginning.
    size = 0
    with pipe:
        for line in iter(lambda: pipe.readline(MOST_PRINTED), b""):
            text = line.decode(errors="replace")
            if show is not None:
                show(text)
            elif size < MOST_PRINTED:
                kept.append(text[: MOST_PRINTED - size])
                size += len(text)


def _nothing_came(path: Path, printed: str, ended: int | None) -> Verdict:
    verdict = Verdict(BROKEN)
    if ended is None:
        verdict.say(f"{path.name} takes too long: it was stopped after {WHOLE} seconds. Does a loop ever end?", "bad")
    else:
        verdict.say(f"{path.name} ended the process that ran it (status {ended}); nothing was compared.", "bad")
    return _with_prints(verdict, path, printed)


def _with_prints(verdict: Verdict, path: Path, printed: str) -> Verdict:
    lines = printed.splitlines()
    if not lines:
        return verdict
    verdict.say().say(f"{path.name} printed:", "dim")
    verdict.show([f"    {line}" for line in lines[:LINES]], "dim")
    return verdict.show(["    ..."] if len(lines) > LINES else [], "dim")
