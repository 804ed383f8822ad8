"""A second batch, without a reset after the first: what the first one left behind must not decide the second's results.

Forward and backward run on one batch, and then, from the state in which they left the layer, on other numbers. From
there, backward has to be forward's derivative, and with PyTorch's layer the output has to be PyTorch's after the same
two batches. The parameters move in between, as by a step, and gradients are zeroed, as a training loop has it. So a
layer may keep what it is meant to keep, running statistics, a recurrent state, counters, and is held to what it
computes with it.
"""

import copy
import re
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.randomness import drawing
from parity_tests.diagnosis.reading import generators
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.read import differentiates
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.repeated import outputs, repeat, run
from parity_tests.harness.lazy_torch import torch
from parity_tests.harness.report import Report

WORDS = "on a second batch, without a reset after the first"
CARRIED = re.compile(
    r"(^|_)(h|c|s|hx|cx|hidden|cell|states?|memory|prev|carry|running|moving|ema|avg|momentum|count\w*|num|n|t|steps?|"
    r"iters?|iterations?|epochs?|u|v)\d*(_|$)",
    re.I,
)
"""What a layer calls what it carries from batch to batch on purpose: a recurrent state, statistics, a counter."""


def compare(
    learner: Learner, theirs: Callable | None, first: tuple, second: tuple, seed: int, names: set[str]
) -> tuple[Report | None, str]:
    """Return the report if the second batch differs after the first, and a note on what the layer keeps."""
    later = _stepped(learner)
    with drawing(later, later.stage.seed):
        fresh = outputs(later, second)
    left = _Left(learner)
    with drawing(learner, seed + 1):  # a mask that is drawn once and kept has to be another one
        run(left.learner, first)
        left.learner.flush()
    left.learner.parameters = later.parameters
    generators.reseed(generators.generators(left.learner.world.roots), learner.stage.seed)
    theirs = _after(theirs, learner, first)
    with left.learner.world.starting_here():
        try:
            report = repeat(left.learner, theirs, second, seed, names)
            as_fresh = _same(outputs(left.learner, second), fresh)
            if not report.differs and as_fresh:
                return None, ""
            if not report.differs:
                own = list(left.decides(lambda one: _same(outputs(one, second), fresh)))
                if _is_meant(own):
                    return None, _kept(learner, own)
                return Report(f"{learner.title}, {WORDS}", faults=[_depends(learner, own)]), ""
            own = list(left.decides(lambda one: not repeat(one, theirs, second, seed, names).differs))
            carried = theirs is not None and not as_fresh and _is_meant(own)
            if carried and differentiates(left.learner, second):
                return None, f"{_kept(learner, own)}. PyTorch's layer starts each batch anew"
        except LearnerRaisedError as error:
            return Report(f"{learner.title}, {WORDS}", faults=[str(error)]), ""
    report.title += f", {WORDS}"
    report.suspects = lambda _: [_advice(learner, own)]
    return report, ""


def _stepped(learner: Learner) -> Learner:
    # With other parameters, as after a step: a transpose of the old ones may have been kept.
    later = copy.deepcopy(learner)
    rng = np.random.default_rng(0)
    for parameter in later.parameters.values():
        parameter.data *= rng.uniform(0.8, 1.2, parameter.data.shape).astype(parameter.data.dtype)
    return later


class _Left:
    """What a first batch leaves in a layer: each attribute can be put back to what it was before."""

    def __init__(self, learner: Learner) -> None:
        self.learner = copy.deepcopy(learner)
        self.world = self.learner.world
        self.world.restore()
        self.start = self.world.start
        self.arrays = {place: np.array(values) for place, values in self.world.places()}

    def decides(self, right: Callable[[Learner], bool]) -> Iterator[Place]:
        """Yield what has to be put back for the second batch to be right."""
        for place in self._changed():
            self._put_back(place)
            try:
                with self.world.starting_here():
                    decides = right(self.learner)
            except LearnerRaisedError:
                decides = False
            if decides:
                yield place

    def _changed(self) -> list[Place]:
        self.world.restore()
        places = [
            p
            for p, v in self.world.places()
            if p not in self.arrays or not np.array_equal(self.arrays[p], v, equal_nan=True)
        ]
        for root, contents in enumerate(self.world.start):
            for key, value in contents.items():
                if isinstance(value, int | str) and value != self.start[root].get(key):  # a counter or a flag
                    places.append(Place(root, (("attr", key),)))
        return list(dict.fromkeys(map(_attribute, places)))

    def _put_back(self, place: Place) -> None:
        after, self.world.start = self.world.start, self.start
        self.world.restore()
        holder = self.world.get(Place(place.root, place.steps[:-1]))
        existed = place.steps[-1][0] != "attr" or place.steps[-1][1] in getattr(holder, "__dict__", {})
        value = copy.deepcopy(self.world.get(place))
        self.world.start = after
        self.world.restore()
        if existed:
            self.world.put(place, value)
        else:
            delattr(self.world.get(Place(place.root, place.steps[:-1])), place.steps[-1][1])


def _attribute(place: Place) -> Place:
    # The attribute or the variable that holds an array: self.xs of self.xs[0].
    last = max((i for i, (kind, _) in enumerate(place.steps) if kind in ("attr", "cell")), default=0)
    return Place(place.root, place.steps[: last + 1])


def _after(theirs: Callable | None, learner: Learner, inputs: tuple) -> Callable | None:
    # PyTorch's layer after the same batch: its count of batches may be among what it keeps.
    if not against.is_module(theirs) or learner.unmatched:
        return theirs
    theirs = against.with_numbers(theirs, learner.state_dict())
    with torch.no_grad():
        theirs(*(t.double() if t.is_floating_point() else t for t in map(against._tensor, map(np.array, inputs))))
    return theirs


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4 if a.dtype == np.float32 else 1e-7, atol=0, equal_nan=True)
        for a, b in zip(some, others, strict=True)
    )


def _is_meant(own: list[Place]) -> bool:
    return bool(own) and all(CARRIED.search(place.last) for place in own)


def _depends(learner: Learner, own: list[Place]) -> str:
    forward = learner.found.forward_name
    return (
        f"{forward} gives another output for the same numbers after another batch: it depends on what that batch left "
        f"in {_listed(learner, own)}. Set it anew in each {forward}; a state that is meant to be carried on is known "
        "by a name such as h, state or running_mean"
    )


def _kept(learner: Learner, own: list[Place]) -> str:
    return (
        f"{_listed(learner, own)} is carried from batch to batch: after another batch, {learner.found.forward_name} "
        "gives another output for the same numbers. The gradients are right from there, too"
    )


def _advice(learner: Learner, own: list[Place]) -> str:
    return (
        f"{_listed(learner, own)} is left over from the first batch: without it, the second one is right. Set it anew "
        f"in each {learner.found.forward_name}"
    )


def _listed(learner: Learner, own: list[Place]) -> str:
    return " and ".join(map(learner.world.words, own)) or "something"
