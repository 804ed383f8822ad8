"""One-hot rows as the target, for a loss whose backward is right only where each row of the target sums to one.

That is the gradient p - y of a softmax's loss -sum(y log p): of any other row, it is p sum(y) - y. A loss that asks of
the target only where it is 1 gets zeros and ones.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import equal, nudged
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.read import differentiates, prepare, read
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.repeated import outputs
from parity_tests.diagnosis.request import Request
from parity_tests.harness.compare import check
from parity_tests.harness.report import AGAIN

WORDS = "the target was drawn as one-hot rows: more is right where each row of it sums to one"
ROUNDED = 1e-5
"""A gradient that differs by no more than this share of its largest number is not wrong because of the target."""


def asked(request: Request) -> Request | None:
    """Return a request of data and a target with one-hot rows as the target, None for any other request."""
    if request.target is not None or len(request.inputs) != 2:
        return None
    data, shape = request.inputs
    if (shape[1:2] or shape[:1]) in ((), (1,)):
        return None  # a single class
    return dataclasses.replace(request, inputs=[data], target="one-hot", target_shape=shape)


def where_right(
    learner: Learner,
    theirs: Callable | None,
    inputs: tuple,
    request: Request,
    found: Found,
    options: Options,
    stage: Stage,
) -> tuple[Learner, tuple, list[str]]:
    """Use one-hot rows, or zeros and ones, as the target if more of the gradients are right with them.

    Where other numbers say nothing of the target, as to a loss that asks where it is 1, they are used in any case.
    """
    at = _target(learner, inputs, options)
    if at is None or (request.target is None and set(np.unique(inputs[at])) <= {0.0, 1.0}):
        return learner, inputs, []  # a network of a course gets such a target from the start

    def with_target(values: np.ndarray) -> tuple:
        return (*inputs[:at], np.ascontiguousarray(values, request.dtype), *inputs[at + 1 :])

    usual = outputs(learner, inputs)
    blind = _is_same(learner, with_target(nudged(inputs[at])), usual)
    learner.forward(*inputs)
    if not blind and differentiates(learner, inputs):
        return learner, inputs, []
    before = most = -1 if blind else _right(learner, inputs)
    best = learner, inputs, []
    for one in _others(request, inputs[at]):
        others = with_target(one.hot)
        try:
            fresh = read(
                found,
                others,
                options,
                stage,
                lambda layer, others=others: prepare(layer, theirs, others, request.seed, randomized=True),
                dtype=request.dtype,
                constants=request.constants,
                averages=request.averages,
            )
            if blind and _is_same(fresh, others, usual):
                continue
            right = _right(fresh, others)
            # What is right for 0 and 1 alone is not right if the loss takes the numbers between, too.
            if right > most and (blind or _right(fresh, with_target(one.soft)) > before):
                most, best = right, (fresh, others, [_said(learner.input_names(len(inputs))[at], one, blind, request)])
                if differentiates(fresh, others):
                    break
        except LearnerRaisedError:
            continue
    chosen, values, _ = best
    chosen.forward(*values)
    return best


def _target(learner: Learner, inputs: tuple, options: Options) -> int | None:
    """Return the input that is the target: as the request says, else by its name and as it has no gradient."""
    if np.ndim(learner.outputs[0]) > 1:
        return None
    names = learner.input_names(len(inputs))
    named = [i for pattern in (words.TARGETS, words.MAYBE_TARGETS) for i, one in enumerate(names) if pattern.match(one)]
    named = [i for i in named if i not in learner.reading.inputs]
    at = options.target if options.target is not None else next(iter(named), None)
    return at if at is not None and inputs[at].dtype.kind == "f" and inputs[at].ndim else None


class _Other(NamedTuple):
    """Another target: of zeros and ones, of numbers between, and what it is and what it has."""

    hot: np.ndarray
    soft: np.ndarray
    words: str
    has: str


def _others(request: Request, target: np.ndarray) -> Iterator[_Other]:
    """Yield zeros and ones, and one-hot rows along each axis of classes; asked-for ones already have them along one."""
    rng, count = np.random.default_rng(request.seed), target.ndim
    if request.target in (None, "values"):
        yield _Other(
            rng.integers(0, 2, target.shape),
            rng.random(target.shape),
            "zeros and ones",
            "the target lies between 0 and 1",
        )
    likely = {"one-hot": (-1,) if count > 2 else ()}.get(request.target, (1 % count, -1, 0))
    for axis in dict.fromkeys(axis % count for axis in likely):
        width, rest = target.shape[axis], target.shape[:axis] + target.shape[axis + 1 :]
        if width > 1:
            hot = np.eye(width)[rng.integers(0, width, rest)]
            soft = (hot + rng.dirichlet(np.ones(width), rest)) / 2
            lines = "columns" if axis == 0 < count - 1 else "rows"
            rows = (np.moveaxis(values, -1, axis) for values in (hot, soft))
            yield _Other(*rows, f"one-hot {lines}", f"each {lines[:-1]} of the target sums to one")


def _is_same(learner: Learner, inputs: tuple, usual: list[np.ndarray]) -> bool:
    try:
        return equal(outputs(learner, inputs), usual)
    except LearnerRaisedError:
        return False


def _right(learner: Learner, inputs: tuple) -> int:
    """Return how many gradients are right; none where the loss is no number."""
    if not all(np.isfinite(y).all() for y in outputs(learner, inputs)):
        return 0
    report = check(learner, None, *inputs, strict=False)
    first = [q for q in report.quantities if not q.name.endswith(AGAIN)]
    return sum(q.ok or (not q.fault and q.max_abs <= ROUNDED * np.abs(q.expected).max(initial=0)) for q in first)


def _said(name: str, other: _Other, blind: bool, request: Request) -> str:
    if request.target == "one-hot":
        return "the target was drawn as one-hot rows along the last axis: backward is right for those, not along axis 1"
    if blind:
        return (
            f"{name} was drawn as {other.words}: other numbers make no difference to the loss if they change a little"
        )
    if request.target is None:
        return f"{name} was drawn as {other.words}: more is right where {other.has}"
    return (
        f"compared with {other.words} as the target, with which more is right than with --target {request.target}: its "
        f"backward assumes that {other.has}"
    )
