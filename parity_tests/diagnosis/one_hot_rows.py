"""One-hot rows as the target, for a loss whose backward is right only where each row of the target sums to one.

That is the gradient p - y of a softmax's loss -sum(y log p): of any other row, it is p sum(y) - y.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.read import differentiates, prepare, read
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.repeated import outputs
from parity_tests.diagnosis.request import Request
from parity_tests.harness.compare import check
from parity_tests.harness.report import AGAIN

WORDS = "the target was drawn as one-hot rows: more is right where each row of it sums to one"


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
    """Use one-hot rows as the target if more of the gradients are right with them: where the classes lie."""
    at = _target(learner, inputs, options)
    if at is None or differentiates(learner, inputs):
        return learner, inputs, []
    before = _right(learner, inputs)
    for axis in _axes(request.target, inputs[at]):
        hot, soft = _rows(inputs[at].shape, axis, request)
        others = (*inputs[:at], hot, *inputs[at + 1 :])
        try:
            fresh = read(
                found,
                others,
                options,
                stage,
                lambda one, others=others: prepare(one, theirs, others, request.seed, randomized=True),
                dtype=request.dtype,
                constants=request.constants,
                averages=request.averages,
            )
            right = _right(fresh, others)
            if right > before and _is_right_for(fresh, (*inputs[:at], soft, *inputs[at + 1 :]), others, before):
                fresh.forward(*others)
                return fresh, others, [_said(learner, at, axis, request)]
        except LearnerRaisedError:
            continue
    learner.forward(*inputs)
    return learner, inputs, []


def _target(learner: Learner, inputs: tuple, options: Options) -> int | None:
    """Return the input that is the target: as the request says, else by its name and as it has no gradient."""
    if np.ndim(learner.outputs[0]) > 1:
        return None
    names = learner.input_names(len(inputs))
    named = [i for pattern in (words.TARGETS, words.MAYBE_TARGETS) for i, one in enumerate(names) if pattern.match(one)]
    named = [i for i in named if i not in learner.reading.inputs]
    at = options.target if options.target is not None else next(iter(named), None)
    return at if at is not None and inputs[at].dtype.kind == "f" and inputs[at].ndim else None


def _axes(kind: str | None, target: np.ndarray) -> Iterator[int]:
    """Yield the axes along which the classes may lie; one-hot rows that were asked for already have them along one."""
    count = target.ndim
    likely = {"one-hot": (-1,) if count > 2 else ()}.get(kind, (1 % count, -1, 0))
    yield from (axis for axis in dict.fromkeys(axis % count for axis in likely) if target.shape[axis] > 1)


def _rows(shape: tuple[int, ...], axis: int, request: Request) -> tuple[np.ndarray, np.ndarray]:
    """Return one-hot rows, and rows of probabilities that are largest there."""
    rng = np.random.default_rng(request.seed)
    width, rest = shape[axis], shape[:axis] + shape[axis + 1 :]
    hot = np.eye(width)[rng.integers(0, width, rest)]
    soft = (hot + rng.dirichlet(np.ones(width), rest)) / 2
    return tuple(np.ascontiguousarray(np.moveaxis(rows, -1, axis), request.dtype) for rows in (hot, soft))


def _right(learner: Learner, inputs: tuple) -> int:
    """Return how many gradients are right; none where the loss is no number."""
    if not all(np.isfinite(y).all() for y in outputs(learner, inputs)):
        return 0
    report = check(learner, None, *inputs, strict=False)
    return sum(q.ok for q in report.quantities if not q.name.endswith(AGAIN))


def _is_right_for(learner: Learner, soft: tuple, hot: tuple, before: int) -> bool:
    """Return whether as much is right for rows of probabilities, if the loss takes more of them than the class."""
    as_class = all(map(np.array_equal, outputs(learner, soft), outputs(learner, hot)))
    return as_class or _right(learner, soft) > before


def _said(learner: Learner, at: int, axis: int, request: Request) -> str:
    if request.target == "one-hot":
        return "the target was drawn as one-hot rows along the last axis: backward is right for those, not along axis 1"
    if request.target is not None:
        return (
            "compared with one-hot targets, with which more is right: its backward assumes that each row of the target "
            f"sums to one, and those of the {request.target} drawn for --target {request.target} do not"
        )
    name = learner.input_names(len(learner.last))[at]
    lines = "columns" if axis == 0 < learner.last[at].ndim - 1 else "rows"
    return f"{name} was drawn as one-hot {lines}: more is right where each of its {lines} sums to one"
