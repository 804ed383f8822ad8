"""Grade one exercise's file: the entry point for the child process and for the tests."""

import ast
from pathlib import Path

from benchmarks.exercises.exercise import Derived, Exercise, Explain, Method
from benchmarks.exercises.grading import reading
from benchmarks.exercises.grading.limits import CALL, TookTooLongError, limited
from benchmarks.exercises.grading.verdict import BLANK, BROKEN, SOLVED, WRONG, Verdict


def grade(exercise: Exercise, path: Path) -> Verdict:
    """Return the verdict on a file; nothing in it raises here, except an interruption."""
    if isinstance(exercise, Explain):
        return _answer(exercise, path)
    from benchmarks.exercises.grading import methods, pairs

    assert isinstance(exercise, Derived)
    try:
        with limited(CALL):
            module = reading.load(path)
        if isinstance(exercise, Method):
            return methods.grade(exercise, path, module)
        return pairs.Grader(exercise, path, module).grade()
    except reading.BrokenError as error:
        return error.verdict
    except TookTooLongError as error:
        return reading.too_long(error, path)
    except (Exception, SystemExit) as error:  # raised by the learner's code somewhere inside of our layers
        return reading.raised(error, path)


# A prediction is read, not run.


def _answer(exercise: Explain, path: Path) -> Verdict:
    try:
        tree = ast.parse(path.read_text(errors="replace"))
    except SyntaxError as error:
        return reading.misspelt(error, path)
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "answer"]
    if not assigned:
        return Verdict(BROKEN).say(f"{path.name} has no line `answer = ...` any more: write one.", "bad")
    expected = _expected(exercise)
    try:
        given = ast.literal_eval(assigned[-1].value)
    except ValueError:
        return Verdict(BROKEN).say(f"Expected {expected}, got {ast.unparse(assigned[-1].value)}.", "bad")
    if given is Ellipsis:
        return Verdict(BLANK).say(f"Not answered yet: line {assigned[-1].lineno} waits for {expected}.")
    right, lines = exercise.compute()
    if not _is(given, right):
        verdict = Verdict(WRONG).say(f"{given!r} is not what comes out.", "bad")
        if not _fits(exercise, given):
            return verdict.say(f"Expected {expected}.")
        if isinstance(given, (tuple, list)) != isinstance(right, tuple):
            asked = "a tuple of numbers" if isinstance(right, tuple) else "one number"
            verdict.say(f"What is asked for is {asked}.")
        return verdict
    verdict = Verdict(SOLVED).say(f"{given!r} is right. The computation:", "good").say()
    for line in lines:
        if len(line) > 70:
            verdict.say(line, indent="    ")
        else:
            verdict.show([f"    {line}"])
    return verdict


def _expected(exercise: Explain) -> str:
    letters = [f'"{letter}"' for letter in "abcdef"[: len(exercise.choices)]]
    return f"one of the letters {', '.join(letters)}" if letters else "a number, or a tuple of numbers"


def _fits(exercise: Explain, given: object) -> bool:
    if exercise.choices:
        return isinstance(given, str) and given.strip().lower() in "abcdef"[: len(exercise.choices)]
    return isinstance(given, (int, float, tuple, list))


def _is(given: object, right: object) -> bool:
    if isinstance(right, str):
        return isinstance(given, str) and given.strip().lower() == right
    if isinstance(right, tuple):
        return isinstance(given, (tuple, list)) and tuple(given) == right
    return isinstance(given, (int, float)) and abs(given - float(right)) <= 1e-6 * max(1, abs(float(right)))
