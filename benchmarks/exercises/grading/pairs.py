"""Grade an exercise on a forward and its backward, or on an update rule: run it, compare, ask the witnesses."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.exercises import cutting
from benchmarks.exercises.exercise import Derived, Find
from benchmarks.exercises.grading import cases, reading, witnesses, wording
from benchmarks.exercises.grading.cases import Trial
from benchmarks.exercises.grading.limits import WITNESSES, limited
from benchmarks.exercises.grading.locate import backward_arguments, located
from benchmarks.exercises.grading.picture import heat_map
from benchmarks.exercises.grading.verdict import BLANK, WRONG, Verdict, listed, numbers
from benchmarks.exercises.grading.watching import Run, agree, watched
from parity_tests.harness.trace import operands

COUNT = 6


class Grader:
    """One file, graded.

    Parameters
    ----------
    exercise : Write or Find
    path : Path
        The learner's file.
    module : module
        What it defines.

    Raises
    ------
    BrokenError
        If a function is missing, or takes other arguments.
    """

    def __init__(self, exercise: Derived, path: Path, module: ModuleType) -> None:
        self.exercise, self.path = exercise, path
        self.originals = cases.originals(exercise)
        self.functions = tuple(reading.function(module, path, one) for one in self.originals)
        self.blanks = [one for function in self.originals for one in reading.blanks(path, function.__name__)]
        self.right: list[str] = []
        self.passed = 0

    def grade(self) -> Verdict:
        """Run all trials, then ask the witnesses."""
        trials = cases.trials(self.exercise, COUNT)
        assert trials, f"{self.exercise.name}: no case calls its functions"
        for trial in trials:
            verdict = self._try(trial)
            if verdict is not None:
                verdict.right = self.right
                return verdict
            self.passed += 1
        with limited(WITNESSES):
            return witnesses.verdict(self.exercise, self.functions)

    def _try(self, trial: Trial) -> Verdict | None:
        """Return what is wrong with one call, None if nothing is."""
        self.right = []
        forward, original = (
            watched(one[0], *trial.fresh(), **trial.options) for one in (self.functions, self.originals)
        )
        names = cutting.returned(cutting.functions(self.exercise)[0])
        verdict = self._compare(trial, forward, original, self.functions[0], names or ["y"], backward=False)
        if verdict is not None or len(self.functions) == 1:
            return verdict
        if not isinstance(forward.returned[1], tuple):
            return Verdict(WRONG).say(
                f"{self.originals[0].__name__} has to return y and the tuple that backward takes."
            )
        passed = [backward_arguments(pair, trial, trial.grad_y) for pair in (self.functions, self.originals)]
        before = [one.copy() if isinstance(one, np.ndarray) else one for one in passed[0]]
        backward, original = watched(self.functions[1], *passed[0]), watched(self.originals[1], *passed[1])
        names = [f"grad_{one}" if one else None for one in operands(cutting.derivation(self.exercise))]
        verdict = self._compare(trial, backward, original, self.functions[1], names, backward=True)
        if verdict is not None:
            return verdict
        if any(
            isinstance(old, np.ndarray) and not np.array_equal(old, new)
            for old, new in zip(before, passed[0], strict=True)
        ):
            return Verdict(WRONG).say(
                f"{self.functions[1].__name__} writes into its arguments. They belong to others (a skip connection "
                "passes the same gradient on): make new arrays.",
                "bad",
            )
        return None

    def _compare(
        self, trial: Trial, run: Run, original: Run, function: Callable, names: list[str | None], backward: bool
    ) -> Verdict | None:
        held = {name: value for name, value in run.values.items() if name in run.assigned}
        self.right += [name for name, value in held.items() if agree(value, original.values.get(name))]
        blank = [one for one in self.blanks if one[1] in run.values or run.error or run.returned is Ellipsis]
        blank = [one for one in blank if _stands_in(function, one[0])]
        if run.error is not None and not (blank and _is_blank(run)):
            verdict = reading.raised(run.error, self.path)
            if backward and (known := wording.of_forward(run.error, self.functions[0])):
                verdict.say().say(known)
            return verdict.say().say(self._called(trial), "dim")
        wrong = self._wrong(run, original, names, blank) if run.error is None else []
        if isinstance(wrong, Verdict):
            return wrong
        if not wrong and not blank:
            return None
        if blank and not wrong:
            return self._still_blank()
        return self._show(trial, run, original, function, wrong, blank, backward)

    def _wrong(self, run: Run, original: Run, names: list[str | None], blank: list) -> list[tuple] | Verdict:
        """Return name, value and wanted value of each wrong return value."""
        returned, wanted = (_parts(one.returned, self.originals, names) for one in (run, original))
        verdict = Verdict(WRONG)
        if len(returned) != len(wanted):
            returns = "None: is there a `return`?" if run.returned is None else f"{len(returned)}."
            return verdict.say(f"It has to return {len(wanted)} values, {listed([n or 'None' for n in names])}, and "
                               f"returns {returns}", "bad")  # fmt: skip
        wrong, faults = [], []
        for name, value, right in zip(names, returned, wanted, strict=False):
            if name is None or value is Ellipsis or name in {one[1] for one in blank}:
                continue
            if not isinstance(value, (np.ndarray, float, int, np.generic)):
                kind = "None" if value is None else type(value).__name__
                faults.append((name, f"{name} has to be an array, and is {kind}."))
            elif np.shape(value) != np.shape(right) and isinstance(right, np.ndarray):
                faults.append((name, wording.about_shape(name, np.asarray(value), right)))
            elif not agree(value, right):
                wrong.append((name, value, right))
            else:
                self.right.append(name)
        # The first line that goes wrong is shown: the rest may follow from it.
        line = lambda one: run.assigned.get(one[0], np.inf)  # noqa: E731
        first = min(faults, key=line, default=None)
        if first is not None and line(first) <= min(map(line, wrong), default=np.inf):
            return self._with_line(verdict.say(first[1], "bad"), run, first[0])
        return wrong

    def _with_line(self, verdict: Verdict, run: Run, name: str) -> Verdict:
        """Add the line that assigned a name last, where it is known."""
        if name in run.assigned:
            verdict.say().show([reading.numbered(self.path, run.assigned[name])])
        return verdict

    def _called(self, trial: Trial) -> str:
        where = "In" if cases.is_rule(self.exercise) else "In the layer"
        return f"{where} {trial.title}: {wording.arguments(self.exercise, trial)}."

    def _still_blank(self) -> Verdict:
        verdict = Verdict(BLANK)
        done = [name for name in dict.fromkeys(self.right) if name.startswith("grad_") or name.endswith("_next")]
        if self._own(done):
            verdict.say(f"Right so far: {listed(self._own(done))}.", "good").say()
        verdict.say("Still to be written:").say()
        verdict.show([f"    line {line:3}   {name:14} {shape}" for line, name, shape in self.blanks])
        verdict.say().say("Replace each ... with an expression; you may add lines before it.")
        return verdict

    def _own(self, names: list[str]) -> list[str]:
        # Only what was cut out: the rest was right from the start.
        labels = cutting.cut_labels(self.exercise) if not isinstance(self.exercise, Find) else []
        found = cutting.derivation(self.exercise)
        cut = {name for label in labels for name in cutting.targets(found.statement(label))}
        return [name for name in names if name in cut]

    def _show(
        self, trial: Trial, run: Run, original: Run, function: Callable, wrong: list, blank: list, backward: bool
    ) -> Verdict:
        verdict = Verdict(WRONG)
        right = [name for name in dict.fromkeys(self.right) if name in _names(original.returned, original.values)]
        name, value, wanted = wrong[0]
        for one, got, true in wrong:
            bad = int((~np.isclose(got, true, rtol=1e-7, atol=1e-12, equal_nan=True)).sum())
            size = np.size(got)
            which = f"{bad} of {size} elements {'is' if bad == 1 else 'are'} " if size > 1 else ""
            verdict.say(f"{one} {np.shape(got)}: {which}wrong.", "bad")
        if right and backward:
            verdict.say(f"{listed(right)}: right.", "good")
        if blank:
            verdict.say(f"Still to be written: {listed([one[1] for one in blank])}.")
        if self.passed:
            verdict.say(f"Right in {self.passed} other case{'s' * (self.passed > 1)}; wrong in this one:")
        verdict.say(self._called(trial), "dim").say()
        if not isinstance(self.exercise, Find):
            line = self._line(trial, run, original, backward)
            if line is not None:
                name, value, wanted = self._say_line(verdict, line, run, original, (name, value, wanted))
        if is_on_the_way := name not in {one[0] for one in wrong}:
            verdict.say(wording.about_shape(name, value, wanted) or f"{name} is wrong there.").say()
        computed, right_there = numbers(value), numbers(wanted)
        verdict.show([f"  {'it is' if index == 0 else '':11}{text}" for index, text in enumerate(computed)])
        verdict.show([f"  {'wanted is' if index == 0 else '':11}{text}" for index, text in enumerate(right_there)])
        if picture := heat_map(value, wanted):
            verdict.say().show(picture, "code")
        if not isinstance(self.exercise, Find) and trial.case is not None:
            # The whole pass can be diagnosed only if nothing in it is blank.
            whole = [] if blank else witnesses.suspects(self.exercise, self.functions, trial)[:1]
            factor = wording.about_factor(value, wanted, trial)
            own = [f"{name}: {factor}"] if factor else []
            if is_on_the_way and factor.endswith(wording.UNEXPLAINED):
                own += whole
            for sentence in (own or whole) if is_on_the_way else (whole or own):
                verdict.say().say(f"-> {sentence}")
        return verdict

    def _line(self, trial: Trial, run: Run, original: Run, backward: bool) -> tuple[int, str, str] | None:
        """Return the first wrong line, the name that it assigns, and what should stand there."""
        if backward:
            found = located(self.functions, trial, operands(cutting.derivation(self.exercise)), original.values)
            if found.line:
                return found.line, found.wrong, found.right
        by_name = [
            (line, name)
            for name, line in run.assigned.items()
            if name in original.assigned and not agree(run.values.get(name), original.values[name])
        ]
        return (*min(by_name), "") if by_name else None

    def _say_line(
        self, verdict: Verdict, line: tuple[int, str, str], run: Run, original: Run, returned: tuple
    ) -> tuple[str, Any, Any]:
        number, name, right = line
        verdict.say(f"The first wrong line is line {number}:").say()
        verdict.show([reading.numbered(self.path, number)]).say()
        if right:
            verdict.say(right[0].upper() + right[1:] + ".").say()
        if name in run.values and name in original.values:
            return name, run.values[name], original.values[name]
        return returned


def _names(returned: Any, values: dict[str, Any]) -> list[str]:
    parts = returned if isinstance(returned, tuple) else (returned,)
    return [name for name, value in values.items() if any(value is part for part in parts)]


def _parts(returned: Any, originals: tuple[Callable, ...], names: list[str | None]) -> list:
    # A forward returns its output, what it saves, and perhaps other values without gradients.
    parts = list(returned) if isinstance(returned, tuple) else [returned]
    if names == ["y"] or (names and names[0] == "y" and len(originals) == 2):
        return parts[:1]
    return parts


def _is_blank(run: Run) -> bool:
    return "ellipsis" in str(run.error).lower() or any(value is Ellipsis for value in run.values.values())


def _stands_in(function: Callable, line: int) -> bool:
    code = getattr(function, "__code__", None)
    lines = [number for _, _, number in code.co_lines() if number] if code else []
    return bool(lines) and min(lines) <= line <= max(lines)
