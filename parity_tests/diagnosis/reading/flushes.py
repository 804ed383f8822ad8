"""A forward that keeps every batch in a list until a method empties it, as the layers of numpy-ml do."""

from parity_tests.diagnosis.reading.running import LearnerRaisedError
from parity_tests.diagnosis.reading.trials import Trials

NAMES = (
    *("flush_gradients", "flush", "zero_grad", "zero_grads", "zero_gradients", "clear_gradients", "clear_grads"),
    *("reset_gradients", "reset_grads", "clear_cache", "reset_cache", "clear", "reset"),
)


def method_of(trials: Trials) -> str:
    """Return the name of the method that empties the lists that grow with each forward, "" if there is none or no need.

    A second forward leaves more arrays than the first, and as many again once the method has been called between.
    """
    names = [name for name in NAMES if callable(getattr(type(trials.plan.found.owner), name, None))]
    if not names or not _grow(trials, ""):
        return ""
    return next((name for name in names if not _grow(trials, name)), "")


def _grow(trials: Trials, between: str) -> bool:
    trials.outputs({})
    first = len(list(trials.world.places(aliases=True)))
    try:
        if between:
            with trials.stage(between):
                getattr(trials.plan.found.owner, between)()
        trials.forward(trials.inputs)
    except LearnerRaisedError:
        return bool(between)
    return len(list(trials.world.places(aliases=True))) > first
