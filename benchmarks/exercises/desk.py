"""What the actions of ``backprop exercises`` do, and what they print; lines fit a terminal of 80 columns."""

import difflib
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import ADVICE, Failure, UsageError, quoted
from benchmarks.exercises import catalogue
from benchmarks.exercises.exercise import Derived, Exercise, Explain
from benchmarks.exercises.folder import Folder

WIDTH = 79
STYLES = {"": None, "good": "green", "bad": "bold red", "code": "cyan", "dim": "dim", "title": "bold"}
PAUSE = 0.4  # seconds between two looks at a file


def say(text: str = "", style: str = "") -> None:
    """Print one line, in colour on a terminal."""
    from benchmarks.tables import console

    screen = console()
    screen.print(text, style=STYLES[style], soft_wrap=True)


def tell(text: str, style: str = "", indent: str = "  ") -> None:
    """Print a paragraph."""
    for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent):
        say(line, style)


def advise(command: str) -> None:
    """Print a command on a line of its own, to be pasted as it is."""
    say(f"    {command}", "code")


def exercise_of(folder: Folder, name: str | None) -> Exercise:
    """Return the exercise with this name; by default the first that is not solved.

    Raises
    ------
    UsageError
        If there is no exercise with this name.
    Failure
        If no name is given and all are solved.
    """
    if name is None:
        following = folder.next()
        if following is None:
            raise Failure("every exercise is solved; name one")
        return following
    every = catalogue.all_exercises()
    if name.isdecimal() and 0 < int(name) <= len(every):
        return every[int(name) - 1]
    # A file's name works too: 04_linear.py.
    plain = Path(name).stem
    plain = plain[3:] if plain[:2].isdigit() and plain[2:3] == "_" else plain
    found = catalogue.named(plain)
    if found is None:
        near = difflib.get_close_matches(plain, [one.name for one in every], 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"unknown exercise {quoted(name)}; {meant}`backprop exercises list` shows them")
    return found


def heading(folder: Folder, exercise: Exercise) -> None:
    """Print what an exercise is, and where."""
    exercises = catalogue.all_exercises()
    number = f"{exercises.index(exercise) + 1} of {len(exercises)}, {exercise.kind}"
    say(f"{exercise.name}: {exercise.title}", "title")
    say(f"{folder.file(exercise)}  ({number})", "dim")
    say()


# The actions.


def welcome(folder: Folder, added: list[Exercise]) -> None:
    """Say what was written, and where to begin."""
    count, every = len(added), len(catalogue.all_exercises())
    if count == every:
        tell(f"{count} exercises are in {folder.path}, and a README.", indent="")
    else:
        tell(f"{count} exercise{'s' * (count != 1)} added to {folder.path}; what was there is unchanged.", indent="")
    following = folder.next()
    if following is not None:
        say()
        introduce(folder, following)
        tell(f"Open {folder.file(following)} in your editor, fill in the blanks (...), save it, and", indent="")
        say()
        advise(folder.command("check", following.name))
        say()
        tell("or have it checked at every save:", indent="")
        say()
        advise(folder.command("watch"))


def show_list(folder: Folder) -> None:
    """Print all exercises, and which are solved."""
    progress, solved = folder.progress(), folder.solved()
    following = folder.next()
    for chapter in catalogue.CHAPTERS:
        say(chapter.title, "title")
        for exercise in chapter.exercises:
            is_next = exercise is following
            gave_up = progress.get(exercise.name, {}).get("gave_up")
            mark = "x" if exercise.name in solved else ">" if is_next else "s" if gave_up else "."
            number = catalogue.all_exercises().index(exercise) + 1
            line = f"  {mark} {number:2} {exercise.name:20} {exercise.kind.split()[0]:8} {exercise.title}"
            say(line, "good" if mark == "x" else "" if is_next else "dim")
        if chapter.milestone:
            missing = still_needed(folder, chapter.milestone)
            if missing:
                tell(f"milestone {chapter.milestone} waits for {', '.join(missing)}", "dim", "    ")
            else:
                advise(folder.command("milestone", chapter.milestone))
        say()
    say(f"{len(solved)} of {len(catalogue.all_exercises())} solved.", "title")
    say("x solved   > next   . to come   s solution seen", "dim")


def still_needed(folder: Folder, milestone: str) -> list[str]:
    """Return the exercises that a milestone still needs."""
    solved = folder.solved()
    return [name for name in catalogue.NEEDED[milestone] if name not in solved]


def check(folder: Folder, exercise: Exercise) -> bool:
    """Grade an exercise's file, print the verdict, record it if solved; return whether it is right."""
    from benchmarks.exercises.grading.process import graded

    path = folder.found(exercise)
    before = folder.progress().get(exercise.name, {})
    heading(folder, exercise)
    verdict = graded(exercise, path)
    for style, line in verdict.lines:
        say(line, style)
    say()
    if verdict.status == "solved":
        folder.remember(exercise, solved=True)
        _after(folder, exercise)
        return True
    if before.get("solved"):
        tell("It was right before, and stays solved; this version is not right.", "dim")
        say()
    if folder.is_outdated(exercise):
        tell("The exercise has changed since this file was written. The new one, with yours kept beside it:", "dim")
        advise(folder.command("reset", exercise.name))
        say()
    advise(folder.command("hint", exercise.name))
    return False


def _after(folder: Folder, exercise: Exercise) -> None:
    count = len(folder.solved())
    tell(f"Solved. That makes {count} of {len(catalogue.all_exercises())}.", "good")
    if isinstance(exercise, Derived):
        tell("The library's version:", "dim")
        advise(folder.command("solution", exercise.name))
    for milestone, names in catalogue.NEEDED.items():
        if exercise.name in names and not still_needed(folder, milestone):
            say()
            tell("You have written all that a network needs. Train it:")
            advise(folder.command("milestone", milestone))
    following = folder.next()
    if following is not None:
        say()
        tell(f"Next: {following.name}, {following.title}. Open {folder.file(following)}")


def watch(folder: Folder, keep_on: Callable[[], bool] = lambda: True, pause: float = PAUSE) -> None:
    """Check each file when it is saved, and move on when it is solved, until ``keep_on`` returns False or Ctrl-C."""
    try:
        _watch(folder, keep_on, pause)
    except KeyboardInterrupt:
        say()
        say(f"{len(folder.solved())} of {len(catalogue.all_exercises())} solved. `backprop exercises watch` continues.")


def _watch(folder: Folder, keep_on: Callable[[], bool], pause: float) -> None:
    say("Watching. Each file is checked when you save it; Ctrl-C ends this.", "dim")
    say()
    current, seen = folder.next(), {}
    if current is not None:
        introduce(folder, current)
        seen = _stamps(folder)
    while current is not None and keep_on():
        time.sleep(pause)
        stamps = _stamps(folder)
        saved = [name for name, stamp in stamps.items() if seen.get(name) != stamp]
        seen = stamps
        # Check whichever file was saved: the learner may go back to an earlier exercise.
        for name in saved:
            exercise = catalogue.named(name)
            assert exercise is not None
            say("-" * WIDTH, "dim")
            try:
                solved = check(folder, exercise)
            except Failure as error:  # gone between two looks: editors save by renaming
                tell(str(error), "dim")
                continue
            following = folder.next()
            if solved and following is not None and following is not current:
                say()
                introduce(folder, following)
            current = following
    if current is None:
        tell("Every exercise is solved.", "good")


def introduce(folder: Folder, exercise: Exercise) -> None:
    """Print what is to be done."""
    heading(folder, exercise)
    tell(exercise.task)
    if isinstance(exercise, Explain):
        for letter, choice in zip("abcdef", exercise.choices, strict=False):
            tell(f'"{letter}"  {choice}', indent="    ")
    say()


def _stamps(folder: Folder) -> dict[str, tuple[int, int]]:
    found = {}
    for exercise in catalogue.all_exercises():
        try:
            status = folder.file(exercise).stat()
        except OSError:
            continue
        found[exercise.name] = status.st_mtime_ns, status.st_size
    return found


def hint(folder: Folder, exercise: Exercise) -> None:
    """Print one more hint."""
    from benchmarks.exercises import hints

    given = folder.progress().get(exercise.name, {}).get("hints", {})
    given = given if isinstance(given, dict) else {}
    every = hints.hints(exercise)
    heading(folder, exercise)
    label, number = _next_hint(folder, exercise, every, given)
    if label is None:
        for said in every.values():
            for text in said:
                tell(text, "dim")
            say()
        tell("There are no more hints. What remains is")
        advise(folder.command("solution", exercise.name, "--give-up"))
        return
    said = every[label]
    for text in said[: number + 1]:  # earlier hints are shown again, above
        tell(text, "" if text is said[number] else "dim")
    say()
    places = list(every)
    about = f", statement {places.index(label) + 1} of {len(places)}" if len(places) > 1 else ""
    tell(f"(hint {number + 1} of {len(said)}{about})", "dim")
    folder.remember(exercise, hints={**given, label: number + 1})


def _next_hint(folder: Folder, exercise: Exercise, every: dict[str, list[str]], given: dict) -> tuple[str | None, int]:
    """Return the label and the number of the next hint, about the first statement that is not right yet."""
    from benchmarks.exercises import hints
    from benchmarks.exercises.grading.process import graded

    right: set[str] = set()
    if len(every) > 1 and folder.file(exercise).is_file():
        right = set(graded(exercise, folder.file(exercise)).right)
    for label, said in every.items():
        number = given.get(label, 0)
        number = number if isinstance(number, int) and number >= 0 else 0
        names = hints.names_of(exercise, label)
        if number < len(said) and not (names and set(names) <= right):
            return label, number
    return None, 0


def solution(folder: Folder, exercise: Exercise, give_up: bool) -> None:
    """Show the library's version, once the exercise is solved or given up."""
    from benchmarks.exercises import sheets

    if exercise.name not in folder.solved():
        if not give_up:
            raise Failure(
                f"{exercise.name} is not solved yet, and `hint {exercise.name}` says more; to see it anyway, "
                f"{ADVICE}{folder.command('solution', exercise.name, '--give-up')}"
            )
        folder.remember(exercise, gave_up=True)
    heading(folder, exercise)
    for line in sheets.solution(exercise).splitlines():
        say(line, "code")


def reset(folder: Folder, exercise: Exercise) -> None:
    """Restore an exercise's file to what it was at first."""
    kept = folder.reset(exercise)
    tell(f"{folder.file(exercise)} is restored." + (f" Yours is kept as {kept.name}." if kept else ""), indent="")
