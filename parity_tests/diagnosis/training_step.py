"""One training step of somebody's network: each parameter has to move by the learning rate times the loss's gradient.

The gradient is taken by finite differences of the network's own loss, at the parameters before the step. A second step
follows on other numbers, without resetting anything: a gradient that was not zeroed moves its parameter by the sum of
both, and what the first batch left behind must not decide the second step. Where a parameter has moved by a wrong
gradient, the gradients are tried that it has after some of the others have been stepped.
"""

import itertools
import types
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from parity_tests.diagnosis import candidates, method_arguments, one_hot_rows, step_momentum, targets
from parity_tests.diagnosis.assumed_losses import OWN, USUAL, Loss, losses
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.world import World
from parity_tests.diagnosis.request import Request, Verdict
from parity_tests.diagnosis.trained import Trained, close
from parity_tests.diagnosis.trial_inputs import with_indices_if_wanted
from parity_tests.harness import arrays

WEIGHTED = (
    "cannot judge these steps: {0} may be meant as a constant, and the gradient of {1} flows through it. Name a method "
    "that returns the loss and its gradients: there, each use of {0} is tried as a constant"
)
SAME = 1e-3
"""Within this share of each other, numbers are of one size."""
REDRAWS = 5
"""How often a network gets other numbers where its own say little."""
STEPS = "train_step training_step train_on_batch step_on_batch train_batch one_step fit_batch update_step".split()  # noqa: SIM905


class _Steps(NamedTuple):
    """What is wrong with two steps, their rate, whether a gradient of the first is all zeros, and the momentum."""

    faults: list[str]
    rate: float
    silent: bool
    momentum: str


def method(thing: object) -> str:
    """Return the name of a class's training step, "" if it has no training step with a loss."""
    if not isinstance(thing, type) or not any(callable(getattr(thing, name, None)) for name in OWN):
        return ""
    return next((name for name in STEPS if callable(getattr(thing, name, None))), "")


def examine(
    request: Request, module: types.ModuleType, args: tuple[list, dict], literal: tuple[list, dict], stage: Stage
) -> Verdict:
    """Return the verdict on a network's training step; on one-hot rows as the target if more is right with them."""
    verdict, trained = _examined(request, module, args, stage, [])
    in_rows = one_hot_rows.asked(request)
    if verdict.status and in_rows is not None:
        other, then = _examined(in_rows, module, args, stage, [one_hot_rows.WORDS])
        if not other.status or len(then.agreeing()) > len(trained.agreeing()):
            return other
    return verdict


def _examined(
    request: Request, module: types.ModuleType, args: tuple[list, dict], stage: Stage, said: list[str]
) -> tuple[Verdict, Trained]:
    cls = getattr(module, request.names.partition(".")[0])
    with stage(f"{cls.__name__}(...)", reseed=True):
        network = cls(*args[0], **args[1])
    step = getattr(network, method(cls))
    request = targets.with_shape_of_target(request, len(method_arguments.arrays_of(step)) - 1)
    request, drawn = method_arguments.with_target_drawn(request, network, step, stage)
    inputs, target = targets.draw(request, arrays.array)
    world = World([network, module], ["self", ""])
    found, inputs = _losses(network, world, inputs, target, step, request, stage)
    batches = [inputs, targets.others(request, inputs)]

    def trained(loss: Loss) -> Trained:
        return Trained(network, world, batches, stage, loss.function, step, request.constants)

    best, assumed = candidates.best(candidates.of_steps(found, trained), "the step of")
    return judged(request, best.thing, [*said, *drawn, *assumed]), best.thing


def _losses(
    network: object,
    world: World,
    inputs: tuple[np.ndarray, ...],
    target: int | None,
    step: Callable,
    request: Request,
    stage: Stage,
) -> tuple[list[Loss], tuple[np.ndarray, ...]]:
    """Return the network's own loss, of data or of what it predicts, and the inputs, some as indices if it wants them.

    If it cannot be called with the inputs or with the prediction, it is returned as it is.
    """
    found = _own(network, inputs, step, stage)
    world.restore()
    if found:
        return found, inputs
    own = next(getattr(network, name) for name in OWN if callable(getattr(network, name, None)))

    def loss_of(values: tuple) -> None:
        with stage(own.__name__, reseed=True):
            own(*map(np.copy, values))

    _, inputs = with_indices_if_wanted(loss_of, inputs, target, world, request.seed)
    found = _own(network, inputs, step, stage)
    world.restore()
    return found or [Loss(own, "")], inputs


def _own(network: object, inputs: tuple[np.ndarray, ...], step: Callable, stage: Stage) -> list[Loss]:
    return [one for one in losses(network, inputs, stage, step.__name__) if one.among != USUAL]


def judged(request: Request, trained: Trained, said: list[str]) -> Verdict:
    """Return the verdict on two steps of a network; ``said`` is what was assumed."""
    steps = _compared(trained)
    for seed in range(REDRAWS):
        if not steps.silent and not (steps.faults and trained.is_at_kink()):
            break
        trained.redraw(seed)
        why = "at the start, a gradient is 0, or the loss has a kink (a ReLU of exactly 0)"
        said = [*said, f"the parameters have other numbers: {why}"] if not seed else said
        steps = _compared(trained)
    lines = ["read as:", f"  ({request.path.name} was run)"]
    along = f"times the gradient of {trained.loss_name}" + f", with {steps.momentum}" * bool(steps.momentum)
    lines.append(f"  {trained.step_name}: each parameter moves by {steps.rate:g} {along}")
    lines += [f"  {one}" for one in said]
    places = trained.parameters.items()
    lines += [f"  {trained.world.words(place)} {values.shape}: changes the loss" for place, values in places]
    if steps.faults and (advantage := trained.weighted_by()):
        steps = steps._replace(faults=[WEIGHTED.format(advantage, trained.loss_name)])
    outcome = steps.faults or [f"All agree: two steps, {len(places)} parameters."]
    return Verdict(1 if steps.faults else 0, "\n".join([*lines, "", *outcome]))


def _compared(trained: Trained) -> _Steps:
    """Compare two steps with the loss's gradients before each, without the momentum that they may have."""
    (first, second), rate = trained.steps(2)
    start = {place: np.array(values) for place, values in trained.parameters.items()}
    moves = {
        place: step_momentum.Moves(
            (start[place] - first[place]) / rate,
            trained.gradient(place, start),
            (first[place] - second[place]) / rate,
            trained.gradient(place, first, batch=1),
        )
        for place in start
    }
    momentum = step_momentum.of(moves.values())
    faults = []
    for place, raw in moves.items():
        own, one = trained.world.words(place), raw.without(momentum)
        if not close(one.first, one.gradient):
            why = _why(trained, place, start, first, one.first)
            faults.append(f"{own}: the first step is not along the gradient{why}")
        elif close(one.second, one.then):
            continue
        elif momentum.words and close(raw.second, raw.then):
            faults.append(f"{own}: it moves without momentum, and others with {momentum.words}")
        elif close(one.second, one.gradient + one.then):
            faults.append(f"{own}: the second step is along the sum of both gradients: zero them before each backward")
        else:
            faults.append(
                f"{own}: the second step, on other numbers, is not along the gradient, though the first is: is "
                "something of the first batch kept?"
            )
    faults += _broadcast(trained, trained.batches[0])
    if not start:
        faults.append(f"nothing was compared: {trained.loss_name} depends on no array")
    silent = any(not np.any(one.gradient) for one in moves.values())
    return _Steps(faults, rate, silent, momentum.words)


def _why(trained: Trained, place: Place, start: dict, first: dict, moved: np.ndarray) -> str:
    if not np.any(moved):
        return f": it does not move (a constant? say --constant {place.last})"
    wanted = trained.gradient(place, start)
    if moved.size > 1 and np.ptp(np.abs(moved)) < SAME * np.abs(moved).max():
        agree = "agree" if np.array_equal(np.sign(moved), np.sign(wanted)) else "differ"
        return (
            f" but as large for each number, as with Adam: it tells the signs of the gradient alone, and they {agree}. "
            "Let it take plain steps, or name a method that returns the gradients"
        )
    decay = np.vdot(start[place], moved - wanted).real / (np.vdot(start[place], start[place]).real or 1.0)
    if moved.size > 1 and close(moved, wanted + decay * start[place]):
        return f": {decay:.6g} times the parameter is added, a weight decay beyond what {trained.loss_name} has"
    others = [other for other in start if other != place]
    index = np.unravel_index(np.argmax(np.abs(moved - wanted)), moved.shape)
    near = 1e-6 + 1e-3 * np.abs(moved).max()
    for count in range(1, len(others) + 1):
        for some in itertools.combinations(others, count):
            at = {**start, **{other: first[other] for other in some}}
            # There are many combinations: most are out of the question by one element.
            slope = trained.slope(place, index, at)
            if abs(moved[index] - slope) <= near and close(moved, trained.gradient(place, at)):
                names = ", ".join(trained.world.words(other) for other in some)
                return f": its gradient is taken after {names} was updated; compute all gradients first, then step"
    (slowly,), rate = trained.steps(1, slower=1e-6)
    if np.allclose((start[place] - slowly[place]) / rate, wanted, rtol=1e-3, atol=1e-4):
        return ", except for a tiny learning rate: it uses what was already updated; step after all gradients"
    ratio = (moved * wanted).sum() / (wanted**2).sum()
    if close(moved, ratio * wanted):
        return f" but {ratio:.6g} times it"
    return ""


def _broadcast(trained: Trained, inputs: tuple) -> list[str]:
    *_, target = inputs
    try:
        as_it_is = trained.loss({})
        other = trained.loss({}, (*inputs[:-1], target.reshape(-1, 1) if target.ndim == 1 else target.reshape(-1)))
        shuffled = trained.loss({}, (*inputs[:-1], np.roll(target, 1)))
    except (LearnerRaisedError, ValueError):
        return []
    column = target.ndim == 1 and target.dtype.kind == "f" and target.size == len(inputs[0])
    if not column or np.isclose(as_it_is, other, rtol=1e-9):
        return []
    if not np.isclose(as_it_is, shuffled, rtol=1e-9):
        return []  # each prediction has its own target: the other shape would be broadcast
    return [
        f"the target's shape {target.shape} is broadcast against the predictions: the loss is {as_it_is:.6g}, and "
        f"{other:.6g} with a target of shape {target.reshape(-1, 1).shape}. Refuse other shapes, or reshape the target"
    ]
