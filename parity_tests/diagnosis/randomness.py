"""Layers whose forward draws: the draws are held fixed for the gradients, and their distribution is compared."""

import contextlib
import copy
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.reading import generators
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError

DRAWS = 300


def is_random(learner: Learner, theirs: Callable | None, inputs: tuple) -> bool:
    """Return whether forward, the learner's or PyTorch's, depends on the seed."""
    return _varies(lambda seed: _ours(learner, inputs, seed)) or (
        theirs is not None and _varies(lambda seed: _theirs(theirs, learner, inputs, seed))
    )


@contextlib.contextmanager
def drawing(learner: Learner, seed: int) -> Iterator[None]:
    """Let forward draw other numbers, by the seed of every generator, for a while."""
    before, learner.stage.seed = learner.stage.seed, seed
    learner.world.restore()
    generators.reseed(generators.generators(learner.world.roots), seed)
    try:
        with learner.world.starting_here():
            yield
    finally:
        learner.stage.seed = before


def _varies(run: Callable[[int], np.ndarray]) -> bool:
    return not np.array_equal(run(0), run(1), equal_nan=True) or not np.array_equal(run(0), run(2), equal_nan=True)


def _ours(learner: Learner, inputs: tuple, seed: int) -> np.ndarray:
    with drawing(learner, seed):
        made = learner.forward(*inputs)
    return np.asarray(made[0] if isinstance(made, tuple) else made)


def _theirs(theirs: Callable, learner: Learner, inputs: tuple, seed: int) -> np.ndarray:
    return against.outputs(theirs, inputs, seed)[0]


def compare(learner: Learner, theirs: Callable | None, inputs: tuple, seed: int) -> list[str]:
    """Return a note on how the draws are distributed; raise if the distribution is not PyTorch's."""
    note = f"{learner.found.forward_name} draws at random: for the gradients, each pass made the same draws"
    if theirs is None:
        return [note]
    theirs = copy.deepcopy(theirs) if against.is_module(theirs) else theirs
    expected = np.array([_theirs(theirs, learner, inputs, seed + i) for i in range(DRAWS)])
    ours = np.array([_ours(learner, inputs, seed + i) for i in range(DRAWS)])
    learner.forward(*inputs)
    if ours.shape != expected.shape:
        raise LearnerRaisedError(f"forward returns shape {ours.shape[1:]}, PyTorch's {expected.shape[1:]}")
    few = all(len(np.unique(expected[(slice(None), *index)].round(9))) <= 4 for index in np.ndindex(expected.shape[1:]))
    if few:
        for index in np.ndindex(ours.shape[1:]):
            at = (slice(None), *index)
            if not np.isin(ours[at].round(9), expected[at].round(9)).all():
                values = sorted(set(expected[at].round(6)))
                raise LearnerRaisedError(
                    f"output: forward draws at random, and {ours[at][0]:.6g} at {index} is none of the values that "
                    f"PyTorch's draws give, {', '.join(f'{v:.6g}' for v in values)} (the scale 1/(1-p)?)"
                )
    if np.array_equal(ours, np.broadcast_to(ours[0], ours.shape)):
        return [f"{learner.found.forward_name} makes the same draws in each pass, PyTorch's makes new ones"]
    spread = expected.std(axis=0).mean() + 1e-12
    off = abs(ours.mean() - expected.mean()), abs(ours.std(axis=0).mean() - spread)
    if max(off) > 8 * spread / np.sqrt(expected.size):
        raise LearnerRaisedError(
            f"output: forward draws at random, and over {DRAWS} draws its mean is {ours.mean():.4g} and its spread "
            f"{ours.std(axis=0).mean():.4g}; PyTorch's are {expected.mean():.4g} and {spread:.4g}"
        )
    return [f"{note}; over {DRAWS} draws the output is distributed like PyTorch's"]
