"""Grade an exercise on the backward of a class made of other layers."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

import scratch
import torch_ref.actor_critic
import torch_ref.models
from benchmarks.exercises.exercise import FindMethod, Method
from benchmarks.exercises.grading import reading
from benchmarks.exercises.grading.picture import heat_map
from benchmarks.exercises.grading.verdict import BLANK, BROKEN, SOLVED, WRONG, Verdict, listed, numbers
from benchmarks.exercises.grading.watching import Run, agree, watched
from benchmarks.exercises.grading.witnesses import keeps
from parity_tests import laws
from parity_tests.harness.compare import check, upstream
from scratch import nn


def grade(exercise: Method, path: Path, module: ModuleType) -> Verdict:
    """Run the learner's class beside the original on the same numbers, then ask the witnesses."""
    original, learners = getattr(exercise.source, exercise.function), getattr(module, exercise.function, None)
    if not isinstance(learners, type) or not hasattr(learners, "backward"):
        return Verdict(BROKEN).say(f"{path.name} has no class {exercise.function} with a backward any more.", "bad")
    # The two passes are the learner's; the rest is inherited from the original, so the same laws apply.
    passes = {name: getattr(learners, name) for name in ("forward", "backward")}
    learners = type(exercise.function, (original,), passes)
    blank = reading.blanks(path, exercise.function)
    for seed in range(3):
        runs = [_run(cls, exercise, seed, "float64") for cls in (learners, original)]
        verdict = _compare(*runs, blank, path, is_shown=not isinstance(exercise, FindMethod))
        if verdict is not None:
            return verdict
    return _witnesses(learners, original, exercise)


def _run(cls: type, exercise: Method, seed: int, dtype: str) -> Run:
    model, inputs, _ = BUILD[exercise.function](cls, seed, dtype)
    outputs = model(*inputs)
    grads = upstream([np.asarray(one) for one in (outputs if isinstance(outputs, tuple) else (outputs,))], seed)
    function = inspect.unwrap(cls.backward)  # type: ignore[attr-defined]
    return watched(function, model, *[float(one) if one.ndim == 0 else one for one in grads])


def _compare(run: Run, original: Run, blank: list, path: Path, is_shown: bool) -> Verdict | None:
    right = [
        name for name, value in run.values.items() if name in original.assigned and agree(value, original.values[name])
    ]
    waits = any(value is Ellipsis for value in run.values.values()) or run.returned is Ellipsis
    if blank and (waits or "ellipsis" in str(run.error)):
        verdict = Verdict(BLANK, right=right)
        if right:
            verdict.say(f"Right so far: {listed(right)}.", "good").say()
        verdict.say("Still to be written:").say()
        return verdict.show([f"    line {line:3}   {name:14} {shape}" for line, name, shape in blank])
    if run.error is not None:
        return reading.raised(run.error, path)
    parts, wanted = (one if isinstance(one, tuple) else (one,) for one in (run.returned, original.returned))
    if len(parts) == len(wanted) and all(agree(*pair) for pair in zip(parts, wanted, strict=True)):
        return None
    verdict = Verdict(WRONG, right=right)
    wrong = {line: name for name, line in run.assigned.items() if name in original.assigned and name not in right}
    if wrong and is_shown:
        line, name = min(wrong.items())
        verdict.say(f"The first wrong line is line {line}:", "bad").say().show([reading.numbered(path, line)]).say()
        value, true = run.values[name], original.values[name]
    else:
        verdict.say("What backward returns is wrong.", "bad").say()
        value, true = parts[0], wanted[0]
    verdict.show([f"  {'it is' if i == 0 else '':11}{text}" for i, text in enumerate(numbers(value))])
    verdict.show([f"  {'wanted is' if i == 0 else '':11}{text}" for i, text in enumerate(numbers(true))])
    return verdict.show(heat_map(value, true) if isinstance(value, np.ndarray) else [])


def _witnesses(learners: type, original: type, exercise: Method) -> Verdict:
    count = 0
    for dtype in ("float64", "float32"):
        for seed in range(4):
            model, inputs, theirs = BUILD[exercise.function](learners, seed, dtype)
            report, count = check(model, theirs, *inputs, seed=seed), count + 1
            if not report.ok:
                verdict = Verdict(WRONG).say(f"PyTorch objects, in {dtype}:", "bad").say()
                for line in report.words().splitlines()[:6]:
                    verdict.say(line, indent="    ")
                return verdict
    for seed in range(2):
        model, inputs, _ = BUILD[exercise.function](learners, seed, "float64")
        ours = BUILD[exercise.function](original, seed, "float64")[0]
        kept = [law for law in laws.laws_of(original) if keeps(ours, law, inputs)]
        broken = [law.__name__ for law in kept if not keeps(model, law, inputs)]
        if check(copy.deepcopy(model), None, *inputs).differs or broken:
            return Verdict(WRONG).say(f"Finite differences, or laws, object: {', '.join(broken)}", "bad")
    said = f"All witnesses agree: PyTorch ({count} cases), finite differences and laws (2 cases)."
    return Verdict(SOLVED).say(said, "good")


def _actor_critic(cls: Callable, seed: int, dtype: str) -> tuple[Any, tuple, Any]:
    rng = np.random.default_rng(seed)
    state, features, actions = (int(rng.integers(2, 6)) for _ in range(3))
    scratch.manual_seed(seed)
    model = cls(nn.Linear(state, features, dtype=np.dtype(dtype)), features, actions, dtype=np.dtype(dtype))
    x = rng.normal(size=(int(rng.integers(2, 6)), state)).astype(dtype)
    return model, (x,), torch_ref.models.ActorCritic(torch.nn.Linear(state, features), features, actions)


def _loss(cls: Callable, seed: int, dtype: str) -> tuple[Any, tuple, Any]:
    rng = np.random.default_rng(seed)
    rows, actions = (int(rng.integers(2, 6)) for _ in range(2))
    weights = float(rng.uniform(0.2, 2)), float(rng.uniform(0.1, 1))
    shapes = (rows, actions), (rows,), (rows,), (rows,)
    logits, values, advantages, returns = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    inputs = logits, values, rng.integers(0, actions, rows), advantages, returns
    return cls(nn.MSELoss(), *weights), inputs, torch_ref.actor_critic.ActorCriticLoss(torch.nn.MSELoss(), *weights)


BUILD = {"ActorCritic": _actor_critic, "ActorCriticLoss": _loss}
"""How to make an object of each class from a seed, with inputs and PyTorch's counterpart."""
