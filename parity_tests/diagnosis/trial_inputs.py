"""Inputs that a layer runs on: random numbers, with masks where its arguments are masks, or indices."""

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from parity_tests.diagnosis import masks, targets
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.moving import equal
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.read import prepare, read
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.reading.world import World
from parity_tests.diagnosis.repeated import outputs
from parity_tests.diagnosis.request import Request

Result = TypeVar("Result")
REFUSED = re.compile(
    r"indices must be|valid indices|must be an integer array|cannot be interpreted as an integer|"
    r"Cannot cast array data from dtype\('float\d+'\) to dtype\('int"
)
"""What NumPy and Python say of a float that is used as an index or as a count."""
BEYOND = re.compile(r"index \d+ is out of bounds for axis \d+ with size (\d+)")
SHARES = (0.05, 0.95)
"""The range of probabilities, for a loss that takes their logarithms."""
POSITIVE = (0.05, 1.95)
"""That of a loss that takes the logarithm of any positive number."""


def read_on_trial_inputs(
    request: Request, found: Found, inputs: tuple, options: Options, stage: Stage, theirs: Callable | None
) -> tuple[Learner, tuple, list[str]]:
    """Return the learner, the inputs that it runs on, and what was drawn otherwise than as random numbers."""
    settings = {"dtype": request.dtype, "constants": request.constants, "averages": request.averages}

    def tried(values: tuple) -> Learner:
        ready = functools.partial(prepare, theirs=theirs, inputs=values, seed=request.seed, randomized=True)
        return read(found, values, options, stage, ready, **settings)

    tables = _tables(found.world)
    first: tuple[Learner, tuple, list[str]] | None = None
    trouble: LearnerRaisedError | None = None
    for values, said in masks.drawn(found, inputs, options.extras, request.constants, request.seed):
        try:
            learner = tried(values)
        except LearnerRaisedError as error:
            trouble = trouble or error
            continue
        if said or not masks.without_gradient(learner, values):
            first = learner, values, said
            break
        first = first or (learner, values, said)
    tables = tables or _tables(found.world)  # those that the first forward makes
    if first is not None:
        if not tables or theirs is not None:
            return first
        learner, values, said = first
        truncated = [i for i in learner.without_gradient if i != options.target and _is_truncated(learner, values, i)]
        if not truncated:
            return first
        names = ", ".join(learner.input_names(len(values))[i] for i in truncated)
        note = f"{names}: drawn as indices, as {found.forward_name} makes whole numbers of it"
        return *_with_chosen(tried, values, truncated, tables, request.seed), [*said, note]
    if not _wants_indices(trouble) or theirs is not None:
        raise trouble
    return *_with_indices(tried, inputs, options.target, tables, request.seed), []


def with_indices_if_wanted(
    run: Callable[[tuple], Result], inputs: tuple, target: int | None, world: World, seed: int
) -> tuple[Result, tuple]:
    """Return what a function makes of the inputs, or of indices in place of some if it takes no other numbers there."""
    try:
        return run(inputs), inputs
    except LearnerRaisedError as error:
        if not _wants_indices(error):
            raise
    return _with_indices(run, inputs, target, _tables(world), seed)


def range_of_logarithms(
    learner: Learner, inputs: tuple[np.ndarray, ...], target: int | None
) -> tuple[tuple[float, float] | None, str]:
    """Return the range of the only inputs that can be compared, and why, None if all can; the target stays as it is."""
    moved = tuple(
        np.clip(np.abs(x), *SHARES) if x.dtype.kind == "f" and i != target else x for i, x in enumerate(inputs)
    )
    try:
        if any(np.isnan(y).any() for y in learner.outputs):
            why = "forward gives NaN for others"
            return (SHARES, why) if np.isfinite(_made(learner, moved)).all() else (None, "")
        chosen = [i for i, x in enumerate(inputs) if x.dtype.kind == "f" and i != target and len(inputs) > 1]
        found = [between for i in chosen if (between := _clipped_to(learner, moved, i)) is not None]
        return (found[0], "forward clips others, and does not depend on them") if found else (None, "")
    except LearnerRaisedError:
        return None, ""
    finally:
        learner.forward(*inputs)


def _clipped_to(learner: Learner, inputs: tuple[np.ndarray, ...], index: int) -> tuple[float, float] | None:
    """Return the range of an input whose logarithm forward takes, if it does not depend on numbers beyond."""

    def change(*values: float) -> float:
        made = [
            _made(learner, tuple(np.full_like(x, value) if i == index else x for i, x in enumerate(inputs)))
            for value in values
        ]
        return float(sum(np.abs(one - other).sum() for one, other in itertools.pairwise(made)))

    # From a 500th to a 50th a logarithm changes as much as from there to a fifth; what has a slope, by far less.
    edge, beside = np.array([0.002, 0.02]), np.geomspace(0.02, 0.2, 7)
    is_steep = change(*edge) > change(*beside) / 2 or change(*1 - edge) > change(*1 - beside) / 2
    if not is_steep or change(-1.0, -2.0) != 0.0:
        return None
    return SHARES if change(2.0, 3.0) == 0.0 else POSITIVE


def _made(learner: Learner, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate([np.ravel(y) for y in outputs(learner, inputs)])


def _tables(world: World) -> list[int]:
    # A bias in a row, (1, n), is no table.
    return [len(v) for _, v in world.places() if v.ndim > 1 and len(v) > 1 and v.dtype.kind == "f"]


def _wants_indices(error: LearnerRaisedError) -> bool:
    return REFUSED.search(str(error)) is not None


def _is_truncated(learner: Learner, inputs: tuple[np.ndarray, ...], index: int) -> bool:
    """Return whether forward makes an input whole numbers, as ``idx.astype(int)`` does, and uses it."""

    def made(x: np.ndarray) -> list[np.ndarray]:
        return outputs(learner, tuple(x if i == index else one for i, one in enumerate(inputs)))

    x = inputs[index]
    try:
        return equal(made(x), made(np.trunc(x))) and not equal(made(x), made(x + 1))
    except LearnerRaisedError:
        return False
    finally:
        learner.forward(*inputs)


def _with_chosen(
    tried: Callable[[tuple], Result], inputs: tuple, chosen: Sequence[int], tables: list[int], seed: int
) -> tuple[Result, tuple]:
    """Try indices as the chosen inputs: of rows, or of as many places as the code turns out to have."""
    rows = min(tables or [len(x) for i, x in enumerate(inputs) if i not in chosen and x.ndim > 1], default=1)
    while True:
        drawn = tuple(targets.indices(x.shape, rows, seed + i) if i in chosen else x for i, x in enumerate(inputs))
        try:
            return tried(drawn), drawn
        except LearnerRaisedError as error:
            beyond = BEYOND.search(str(error))
            if beyond is None or not 0 < int(beyond[1]) < rows:
                raise
            rows = int(beyond[1])


def _with_indices(
    tried: Callable[[tuple], Result], inputs: tuple, target: int | None, tables: list[int], seed: int
) -> tuple[Result, tuple]:
    """Try indices as the inputs: as few of them as it takes, from the first on."""
    places = [i for i in range(len(inputs)) if i != target]
    choices = [c for count in range(1, len(places) + 1) for c in itertools.combinations(places, count)]
    trouble: LearnerRaisedError | None = None
    for chosen in choices:
        try:
            return _with_chosen(tried, inputs, chosen, tables, seed)
        except LearnerRaisedError as error:
            if not _wants_indices(error):
                raise
            trouble = error
    raise trouble
