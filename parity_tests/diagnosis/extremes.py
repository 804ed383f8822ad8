"""Extreme inputs, tried after the usual ones agree: overflow, NaN from finite numbers, the logarithm of 0."""

from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis import against
from parity_tests.diagnosis.reading.domain import positive
from parity_tests.diagnosis.reading.learner import Learner
from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.reading.trials import upstream
from parity_tests.diagnosis.repeated import outputs
from parity_tests.diagnosis.request import Request
from parity_tests.diagnosis.wider import logarithms

LARGE = 1000.0
"""Beyond 710, exp overflows in float64."""
HALVINGS = 4
HUGE = 1e30


def look(
    learner: Learner, theirs: Callable | None, inputs: tuple, target: int | None, request: Request
) -> tuple[list[str], list[str]]:
    """Return what is wrong at extreme inputs, and what deserves a note."""
    if request.range is not None or inputs[0].dtype.kind != "f" or not inputs[0].size:
        return [], []
    faults, notes = _found(learner, theirs, inputs)
    if faults:
        with positive(learner) as others:
            faults, notes = _found(learner, theirs, inputs) if others else (faults, notes)
    return faults[:1], [] if faults else notes[:1]


def _found(learner: Learner, theirs: Callable | None, inputs: tuple) -> tuple[list[str], list[str]]:
    faults, notes = [], []
    for words, extreme in _inputs(inputs[0]):
        others = (extreme, *inputs[1:])
        fault, note = _try(learner, theirs, others, words)
        faults += [fault] if fault else []
        notes += [note] if note else []
    return faults, notes


def overflow(learner: Learner, theirs: Callable | None, inputs: tuple) -> str:
    """Return what to say if even the usual inputs are too extreme, "" if the output is finite."""
    if not any(np.isnan(y).any() for y in learner.outputs):
        return ""
    fault, note = _try(learner, theirs, inputs, "these inputs")
    return fault or note


def _inputs(x: np.ndarray) -> list[tuple[str, np.ndarray]]:
    # First rows far apart from each other, then numbers far apart within each row.
    signs = np.where(np.arange(len(x) if x.ndim else 1) % 2, -1.0, 1.0).reshape(-1, *[1] * max(0, x.ndim - 1))
    steps = np.arange(x.size).reshape(x.shape)
    return [
        (f"inputs around {LARGE:g} in one example and {-LARGE:g} in the next", (x + LARGE * signs).astype(x.dtype)),
        (f"inputs around {LARGE:g} and {-LARGE:g}", (x + LARGE * np.where(steps % 3 == 1, -1.0, 1.0)).astype(x.dtype)),
        ("inputs of 0", np.zeros_like(x)),
    ]


def _try(learner: Learner, theirs: Callable | None, inputs: tuple, words: str) -> tuple[str, str]:
    before = learner.stage.overflows
    try:
        with logarithms() as smallest:
            made = outputs(learner, inputs)
        gradients = _gradients(learner, made)
    except LearnerRaisedError as error:
        return f"at {words}: {error}", ""
    overflown = learner.stage.overflows > before
    expected = _theirs(theirs, learner, inputs)
    bad_output = _bad(made[0], None if expected is None else expected[0])
    bad_gradient = any(np.isnan(g).any() for g in gradients)
    zero = words.endswith("of 0")
    if not bad_output and not bad_gradient:
        return "", ""
    if not all(np.isfinite(y).all() for y in made) and _grows_beyond_all_numbers(learner, inputs):
        return "", ""
    loss = np.ndim(made[0]) == 0
    what = "NaN" if np.isnan(made[0]).any() or bad_gradient else "infinity"
    where = learner.found.forward_name if bad_output else learner.found.backward_name or learner.found.forward_name
    sentence = f"at {words}, {where} gives {what} from finite numbers"
    if expected is not None:
        sentence += (
            f" where PyTorch gives {np.asarray(expected[0]).flat[0]:.4g}" if loss else " where PyTorch is finite"
        )
    if loss and not bad_gradient and _has_zeros_that_matter(learner, inputs):
        return "", (
            f"{sentence}; the gradient is right there. The target has zeros, and 0 times the logarithm of 0 is NaN: "
            "let such a term be 0, as in p * np.log(np.where(p > 0, p, 1))"
        )
    if loss and not bad_gradient:
        return "", (
            f"{sentence}; the gradient is right there. It is the logarithm of a probability that has become 0: compute "
            "it from the scores instead, x - max - log(sum(exp(x - max)))"
        )
    if loss and expected is None and bad_output and np.min(smallest, initial=1.0) == 0:
        return "", (
            f"{sentence}, and so is the gradient. It is the logarithm of a probability that has become 0, and backward "
            "divides by it: compute both from the scores instead, the gradient as p - y"
        )
    if loss and expected is None and not bad_output and not overflown:
        return f"{sentence}: it divides by a probability that has become 0; compute it from the scores instead", ""
    if zero and expected is None:
        return "", f"{sentence} (0/0, or the logarithm of 0?)"
    if what == "infinity" and expected is None:
        return "", ""
    advice = "exp overflows: subtract the maximum of each row (not of the whole array) before it, or use exp(-|x|)"
    return f"{sentence}: {advice if overflown else '0/0, or the logarithm of 0'}", ""


def _gradients(learner: Learner, made: list[np.ndarray]) -> list[np.ndarray]:
    grads = learner.backward(*[g if g.ndim else float(g) for g in upstream(made)])
    returned = list(grads) if isinstance(grads, tuple) else [grads]
    return [g for g in [*returned, *(p.grad for _, p in learner.named_parameters())] if g is not None]


def _grows_beyond_all_numbers(learner: Learner, inputs: tuple) -> bool:
    """Return whether forward is huge where it is still finite, as the exp(log_var) of a VAE.

    Infinity is right then, and so is NaN, if an infinite number is subtracted from another one.
    The logarithm of a sum of exponentials, which overflows on the way, is not huge there. Nor is infinity an excuse for
    a gradient that is NaN already there.
    """
    x = inputs[0]
    try:
        for _ in range(HALVINGS):
            x = x / 2
            made = outputs(learner, (x, *inputs[1:]))
            if all(np.isfinite(y).all() for y in made):
                is_huge = any(np.abs(y).max(initial=0) > HUGE for y in made)
                return is_huge and not any(np.isnan(g).any() for g in _gradients(learner, made))
        return False
    finally:
        learner.forward(*inputs)


def _has_zeros_that_matter(learner: Learner, inputs: tuple) -> bool:
    """Return whether the loss is finite once the zeros of its target are not."""
    others = tuple(np.where(x == 0, 0.1, x) if x.dtype.kind == "f" else x for x in inputs[1:])
    if not any((x == 0).any() for x in inputs[1:] if x.dtype.kind == "f"):
        return False
    try:
        return bool(np.isfinite(learner.forward(inputs[0], *others)).all())
    except LearnerRaisedError:
        return False
    finally:
        learner.forward(*inputs)


def _bad(output: np.ndarray, expected: np.ndarray | None) -> bool:
    if expected is None:
        return not np.isfinite(output).all()
    if np.shape(expected) != np.shape(output):
        return False
    return bool((np.isfinite(expected) & ~np.isfinite(output)).any())


def _theirs(theirs: Callable | None, learner: Learner, inputs: tuple) -> tuple[np.ndarray, ...] | None:
    if theirs is None or learner.unmatched:
        return None
    layer = against.with_numbers(theirs, learner.state_dict()) if against.is_module(theirs) else theirs
    try:
        return against.outputs(layer, inputs)
    except Exception:
        return None
