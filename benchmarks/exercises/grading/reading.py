"""A learner's file, loaded: its functions, and what is still blank in them."""

import ast
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.exercises.grading.limits import TookTooLongError
from benchmarks.exercises.grading.verdict import BROKEN, Verdict

NAME = "the_learners_file"


class BrokenError(Exception):
    """The file cannot be graded; ``verdict`` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


def load(path: Path) -> ModuleType:
    """Run the file, and return its module.

    Raises
    ------
    BrokenError
        If it is not valid Python, or raises.
    """
    spec = importlib.util.spec_from_file_location(NAME, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    try:
        # Compile it here: a file that was saved twice within a second must not come from a cache.
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise BrokenError(misspelt(error, path)) from error
    except (KeyboardInterrupt, TookTooLongError):
        raise
    except BaseException as error:
        raise BrokenError(raised(error, path)) from error
    return module


def misspelt(error: SyntaxError, path: Path) -> Verdict:
    """Say which line is not valid Python."""
    verdict = Verdict(BROKEN).say(f"{path.name}, line {error.lineno}: {error.msg}", "bad")
    return verdict.say().show([numbered(path, error.lineno)]) if error.lineno else verdict


def raised(error: BaseException, path: Path) -> Verdict:
    """Say what the file raised, on which line, and which shapes the arrays had there."""
    verdict = Verdict(BROKEN)
    said = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, SystemExit):
        said = "this ends the program"
    frames = [
        (frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)
    ]
    if not frames:
        return verdict.say(f"{type(error).__name__}: {said}", "bad")
    frame, line = frames[-1]
    verdict.say(f"Line {line} raises {type(error).__name__}: {said}", "bad")
    verdict.say().show([numbered(path, line)])
    arrays = {name: value for name, value in frame.f_locals.items() if isinstance(value, np.ndarray)}
    if arrays:
        verdict.say().say("The shapes there: " + ", ".join(f"{name} {value.shape}" for name, value in arrays.items()))
    return verdict


def too_long(error: TookTooLongError, path: Path) -> Verdict:
    """Say where the file was when its time ran out."""
    verdict = Verdict(BROKEN).say(f"{path.name} takes too long: it was stopped after {error}.", "bad")
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    if lines:
        verdict.say("It was here; does this loop ever end?").say().show([numbered(path, lines[-1])])
    return verdict


def numbered(path: Path, line: int) -> str:
    """Return a line of the file with its number."""
    lines = path.read_text(errors="replace").splitlines()
    return f"    {line:3} > {lines[line - 1].strip() if 0 < line <= len(lines) else ''}"


def function(module: ModuleType, path: Path, original: Callable) -> Callable:
    """Return the file's version of an original function.

    Raises
    ------
    BrokenError
        If it is not there, or takes other arguments.
    """
    found, wanted = getattr(module, original.__name__, None), list(inspect.signature(original).parameters)
    if not callable(found):
        verdict = Verdict(BROKEN).say(f"{path.name} has no function {original.__name__}({', '.join(wanted)}).", "bad")
        raise BrokenError(verdict.say("Restore its name; `reset` brings the file back, and keeps yours beside it."))
    if list(inspect.signature(found).parameters) != wanted:
        verdict = Verdict(BROKEN).say(f"{original.__name__} takes other arguments now.", "bad")
        raise BrokenError(verdict.say(f"Its first line has to be: def {original.__name__}({', '.join(wanted)}):"))
    return found


def blanks(path: Path, name: str) -> list[tuple[int, str, str]]:
    """Return what is still blank in a function or class of the file: line, name, and the shape beside it."""
    text = path.read_text(errors="replace")
    lines, found = text.splitlines(), []
    top = [one for one in ast.parse(text).body if getattr(one, "name", "") == name]
    for node in [inner for one in top for inner in ast.walk(one)]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is Ellipsis:
            shape = lines[node.lineno - 1].partition("#")[2].strip()
            found.append((node.lineno, ast.unparse(node.targets[0]), shape))
    return sorted(found)
