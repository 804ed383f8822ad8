"""Which argument of a loss is the prediction, and which the target: by their names, else either."""

import inspect
import re
from collections.abc import Callable

from parity_tests.diagnosis.reading import names as words

OUTPUTS = re.compile(
    r"^(a_?(\d|l|out)|al|y_?h|y_?p|\w*_?outputs?|\w*_?out|prob\w*|softmax\w*|estimates?|estimated)$", re.I
)
"""What a network makes of its input, as it is surely called in a loss; `a`, `h` or `p` may be data, too."""


def needed(function: Callable) -> list[str]:
    """Return the names of the arguments without which a function cannot be called; none if it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


def has_prediction(function: Callable) -> bool:
    """Return whether one of a function's two arguments is called as a prediction."""
    return any(map(_is_prediction, needed(function)[:2]))


def is_target(name: str) -> bool:
    """Return whether an argument is called as a target."""
    return bool(words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name))


def target_first(loss: Callable) -> bool | None:
    """Return whether a loss takes the target first, by the names of its arguments; None if they do not say."""
    first, second = [*needed(loss), "", ""][:2]
    for is_one in (_is_prediction, lambda name: not words.TARGETS.match(name), _may_be_prediction):
        if bool(is_one(first)) != bool(is_one(second)):
            return bool(is_one(second))
    return None


def orders(loss: Callable) -> list[bool]:
    """Return whether a loss takes the target first: True, False, or both, the likelier first."""
    known = target_first(loss)
    if known is not None:
        return [known]
    first, second = [*needed(loss), "", ""][:2]
    turned = bool(words.MAYBE_TARGETS.match(first) and not words.MAYBE_TARGETS.match(second))
    return [turned, not turned]


def prediction_first(loss: Callable, turned: bool | None = None) -> Callable:
    """Return a loss that takes the prediction first, also where its own first argument is the target."""
    turned = orders(loss)[0] if turned is None else turned
    return (lambda p, y: loss(y, p)) if turned else loss


def _is_prediction(name: str) -> bool:
    return bool(words.PREDICTIONS.match(name) or OUTPUTS.match(name))


def _may_be_prediction(name: str) -> bool:
    return bool(re.match(r"^(a|h|o|p|s|z)$", name, re.I))
