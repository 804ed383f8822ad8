"""Ask the four witnesses about the learner's functions, run inside our layer: options crossed, both dtypes."""

import contextlib
import copy
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

import scratch
from benchmarks.exercises import cutting
from benchmarks.exercises.exercise import Derived
from benchmarks.exercises.grading import cases, wording
from benchmarks.exercises.grading.verdict import SOLVED, WRONG, Verdict
from benchmarks.exercises.grading.watching import agree
from parity_tests import laws
from parity_tests.catalogue import LayerCase, named
from parity_tests.harness.arrays import random_state
from parity_tests.harness.calls import Call
from parity_tests.harness.compare import check
from parity_tests.harness.trace import operands
from parity_tests.museum import EXHIBITS
from parity_tests.museum.exhibit import LayerExhibit
from scratch import optim
from scratch.nn import Module
from scratch.tape import Tape

WITH_TORCH, WITHOUT = 6, 3  # cases for each dtype; cases for each of the slower witnesses


def verdict(exercise: Derived, functions: tuple[Callable, ...]) -> Verdict:
    """Ask all witnesses; return the first objection, or that all of them agree."""
    asked = _about_a_rule(exercise, functions) if cases.is_rule(exercise) else _about_a_pair(exercise, functions)
    if isinstance(asked, Verdict):
        return asked
    assert asked["PyTorch"], f"{exercise.name}: no case calls its functions"
    words = [f"{name} ({count} case{'s' * (count != 1)})" for name, count in asked.items() if count]
    return Verdict(SOLVED).say("All witnesses agree: " + ", ".join(words) + ".", "good")


def _about_a_pair(exercise: Derived, functions: tuple[Callable, ...]) -> dict[str, int] | Verdict:
    original = cases.originals(exercise)
    asked = {"PyTorch": 0, "finite differences": 0, "laws": 0, "the tape": 0}
    with scratch.plain(), np.errstate(all="ignore"):
        for dtype in ("float64", "float32"):
            for seed, case in cases.layer_cases(exercise, dtype, WITH_TORCH):
                report = with_pair(case, original, functions).check(seed)
                asked["PyTorch"] += 1
                if not report.ok:
                    return _objection("PyTorch", case, report.words(), f"in {dtype}")
        for case in _museums_cases(original):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch remarks on its own copying of an odd padding
                report = with_pair(case, original, functions).check(0)
            asked["PyTorch"] += 1
            if not report.ok:
                return _objection("PyTorch", case, report.words(), "")
        for _, case in cases.layer_cases(exercise, "float64", WITHOUT):
            learners, ours = with_pair(case, original, functions).layer, case.layer
            report = check(learners, None, *case.inputs)
            if not report.differs:
                asked["finite differences"] += 1
            elif not check(ours, None, *case.inputs).differs:  # ours may depart from them by a convention
                return _objection("finite differences", case, report.words(), "")
            kept = [law for law in laws.laws_of(type(ours)) if keeps(ours, law, case.inputs)]
            asked["laws"] += bool(kept)
            broken = [law.__name__ for law in kept if not keeps(learners, law, case.inputs)]
            if broken:
                return _objection("a law", case, broken[0].replace("_", " "), "")
            for call in cases.recorded(case, original):
                wrong = _by_the_tape(exercise, functions, call)
                if wrong:
                    return _objection("the tape", case, f"{wrong} is not the gradient of this forward", "")
                asked["the tape"] += 1
    return asked


def suspects(exercise: Derived, functions: tuple[Callable, ...], trial: cases.Trial) -> list[str]:
    """Return the classic mistakes that would explain what is wrong in a trial."""
    if trial.case is None:
        return []
    seed, case = trial.case
    with scratch.plain(), np.errstate(all="ignore"), contextlib.suppress(Exception):
        report = with_pair(case, cases.originals(exercise), functions).check(seed)
        chance = (wording.PLACE,) if has_branches(case) else (wording.PLACE, wording.SIDE)
        said = [sentence for sentence in report.suspects(report) if not any(one in sentence for one in chance)]
        said.sort(key=lambda sentence: sentence.startswith("backward is "))  # it names no mistake
        return [wording.in_the_files_names(exercise, sentence) for sentence in said]
    return []


def has_branches(case: LayerCase) -> bool:
    """Return whether the layer has one input and no parameters, like an activation."""
    return len(case.inputs) == 1 and not list(case.layer.parameters())


def keeps(layer: Module, law: Callable, inputs: tuple[np.ndarray, ...]) -> bool:
    """Return whether a layer keeps a law at these inputs; if checking it raises anything, it does not."""
    scratch.manual_seed(0)
    try:
        with scratch.retain_graph():
            law(copy.deepcopy(layer), *map(np.copy, inputs))
    except Exception:
        return False
    return True


def _museums_cases(original: tuple[Callable, ...]) -> Iterator[LayerCase]:
    """Yield the inputs on which the museum's mistakes show: ties, extremes, options that are not the default."""
    for exhibit in EXHIBITS:
        if isinstance(exhibit, LayerExhibit) and getattr(exhibit.right, "functions", None) == original:
            layer = random_state(exhibit.build(exhibit.right, np.float64, **exhibit.options), seed=1)
            yield LayerCase(layer.train(exhibit.training), exhibit.build_torch(**exhibit.options), exhibit.inputs)


def with_pair(case: LayerCase, original: tuple[Callable, ...], functions: tuple[Callable, ...]) -> LayerCase:
    """Return a copy of a case whose layer runs the learner's functions."""
    layer = copy.deepcopy(case.layer)
    cases.put_in(layer, original, functions)
    return LayerCase(layer, case.reference, case.inputs, case.budgets)


def _by_the_tape(exercise: Derived, functions: tuple[Callable, ...], call: Call) -> str:
    """Return the name of a gradient that differs from the tape's; "" if there is none.

    Where our own backward departs from the tape by a convention (a kink, a row that does not learn), the learner's may
    too.
    """
    ours, theirs = (_grads(pair, call) for pair in (call.functions, functions))
    names = operands(cutting.derivation(exercise))
    parameters = list(inspect.signature(call.functions[0]).parameters)
    tape, arguments, watched = Tape(), list(call.arguments), {}
    for name in names:
        place = parameters.index(name) if name in parameters else None
        if place is not None and isinstance(arguments[place], np.ndarray):
            arguments[place] = watched[name] = tape.watch(arguments[place])
    y = functions[0](*arguments)[0]
    true = tape.gradients(y, call.grad_y)
    for name, our, their in zip(names, ours, theirs, strict=False):
        if name in watched and agree(our, true[watched[name]]) and not agree(their, true[watched[name]]):
            return f"grad_{name}"
    return ""


def _grads(pair: tuple[Callable, ...], call: Call) -> tuple:
    forward = dict(zip(inspect.signature(pair[0]).parameters, call.arguments, strict=True))
    names = list(inspect.signature(pair[1]).parameters)
    saved = pair[0](*call.arguments)[1]
    grads = pair[1](call.grad_y, *[forward[name] for name in names[1:-1]], saved)
    return grads if isinstance(grads, tuple) else (grads,)


def _objection(witness: str, case: Any, words: str, where: str) -> Verdict:
    found = (
        Verdict(WRONG).say(f"The usual numbers come out right. {witness[0].upper()}{witness[1:]} objects:", "bad").say()
    )
    for line in words.splitlines()[:6]:
        found.say(line, indent="    ")
    shapes = ", ".join(f"{one.shape}" for one in getattr(case, "inputs", ()))
    title = repr(case.layer) if hasattr(case, "layer") else f"{case.name}({case.options})"
    return found.say().say(f"On {title}{f': input {shapes}' if shapes else ''} {where}".rstrip() + ".", "dim")


def _about_a_rule(exercise: Derived, functions: tuple[Callable, ...]) -> dict[str, int] | Verdict:
    cls, asked = getattr(optim, exercise.cases), {"PyTorch": 0, "laws": 0}
    with scratch.plain(), mock.patch.object(cls, "rule", functions[0]), np.errstate(all="ignore"):
        for dtype in ("float64", "float32"):
            for seed in range(WITH_TORCH):
                case = named(exercise.cases).case(dtype, seed)
                report = case.check(seed)
                asked["PyTorch"] += 1
                if not report.ok:
                    return _objection("PyTorch", case, report.words(), f"in {dtype}")
        for seed in range(WITHOUT):
            case = named(exercise.cases).case("float64", seed)
            broken = set(laws.broken_by_optimizer(cls, case.options))
            with mock.patch.object(cls, "rule", cases.originals(exercise)[0]):
                broken -= set(laws.broken_by_optimizer(cls, case.options))
            asked["laws"] += 1
            if broken:
                return _objection("a law", case, min(broken).replace("_", " "), "")
    return asked
