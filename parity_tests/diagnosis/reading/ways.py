"""The ways in which forward and backward may be meant to be called, the likeliest first."""

import itertools
from collections.abc import Iterator

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.flagged import Flagged
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import is_upstream
from parity_tests.diagnosis.reading.plans import Plan

SPLITS = 6
"""The most ways to read what forward returns (`outputs.readings`)."""


def plans(found: Found, options: Options, inputs: tuple[np.ndarray, ...]) -> Iterator[Plan]:
    """Yield the ways in which ``found`` may be meant to be called, the likeliest first."""
    if isinstance(found.backward, Flagged) and not found.backward.of_two:
        for backward in (found.backward, found.backward.other()):
            one = Found(found.title, found.forward, backward, module=found.module)
            yield Plan(one, options, (0,), "derivative", extra_words=[backward.said])
        return
    integer = options.target is not None and inputs[options.target].dtype.kind in "iu"
    classes = options.classes or (inputs[0].shape[1] if integer and inputs[0].ndim > 1 else 0)
    for order, onehot, convention in itertools.product(
        _orders(found, options, len(inputs)), (False, True) if classes else (False,), _conventions(found, options)
    ):
        ignored = convention == "none" and may_ignore(found, options)
        said = [f"{found.backward_name} ignores its argument: right for the last layer of a network, where that is 1"]
        for mean in (False, True) if convention != "upstream" else (False,):
            if convention == "derivative" and _is_of_output(found):
                yield Plan(found, options, order, convention, onehot, mean, classes=classes, at_output=True)
            yield Plan(found, options, order, convention, onehot, mean, classes=classes, extra_words=said * ignored)
        for number in range(1, SPLITS) if convention == "upstream" else ():
            yield Plan(found, options, order, convention, onehot, classes=classes, split_number=number)
    said = f"{found.backward_name} returns the gradients of the parameters first: only in this order do they agree"
    order = _orders(found, options, len(inputs))[0]
    yield Plan(found, options, order, "upstream", parameters_first=True, extra_words=[said])
    if options.target is not None and found.owner is not None and "derivative" in _conventions(found, options):
        said = f"{found.backward_name} gets the prediction that {found.forward_name} left in an attribute"
        for hot in (False, True) if classes else (False,):
            yield Plan(
                found, options, order, "derivative", hot, classes=classes, of_prediction=True, extra_words=[said]
            )
    last = len(_required(found)) - 1
    if 0 <= last < len(inputs) - 1 and options.target is None:
        for number in range(SPLITS):
            yield Plan(found, options, tuple(range(len(inputs))), "upstream", split_number=number, listed=last)
    for convention in _conventions(found, options):
        yield Plan(found, options, order, convention, numbers=True, extra_words=["arrays are lists of numbers"])


def may_ignore(found: Found, options: Options) -> bool:
    """Return whether backward's only argument may be ignored: ``dout=1`` of a network's last layer; PyTorch uses it."""
    parameters = found.parameters(found.backward)
    is_one = len(parameters) == 1 and isinstance(parameters[0].default, float | int) and parameters[0].default == 1
    return is_one and not options.torch_order


def _required(found: Found) -> list[str]:
    return [p.name for p in found.parameters(found.forward) if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]


def _is_of_output(found: Found) -> bool:
    """Return whether backward's argument is called as an output, such as softmax_output, and forward's is not."""
    fronts = [p.name for p in found.parameters(found.forward)]
    backs = [p.name for p in found.parameters(found.backward)]
    if len(backs) != 1 or backs[0] in fronts:
        return False
    rest = backs[0].lower().removeprefix(found.forward_name.lower()).strip("_")
    return not rest or bool(words.OUTPUTS.match(rest))


def _orders(found: Found, options: Options, count: int) -> list[tuple[int, ...]]:
    straight = tuple(range(count))
    fronts = [p.name for p in found.parameters(found.forward) if p.name not in options.extras][:count]
    target = options.target
    if count < 2 or (target is None and not options.torch_order):
        return [straight]
    target = count - 1 if target is None else target
    strong = [i for i, name in enumerate(fronts) if words.TARGETS.match(name)]
    weak = [i for i, name in enumerate(fronts) if words.MAYBE_TARGETS.match(name)]
    at = next(iter(strong or weak), count - 1)
    others = [i for i in range(count) if i != target]
    order = (*others[:at], target, *others[at:])
    return [order] if strong or weak or count != 2 else list(dict.fromkeys([order, straight]))


def _conventions(found: Found, options: Options) -> list[str]:
    function = found.backward
    if function is None:
        return ["upstream"]
    parameters = [p for p in found.parameters(function) if p.kind is not p.VAR_KEYWORD]
    if not parameters:
        return ["none"]
    if may_ignore(found, options):
        return ["upstream", "none"]
    fronts = [p.name for p in found.parameters(found.forward)]
    first = parameters[0].name
    required = [p for p in parameters if p.default is p.empty]
    is_given_more = is_upstream(first) or any(words.CACHES.search(p.name) for p in required[1:])
    if (found.derivative and (first in fronts or not is_given_more)) or (
        required and len(required) > 1 and [p.name for p in required] == fronts[: len(required)]
    ):
        return ["derivative", "upstream"]
    others = [p.name for p in required[1:]]
    if found.derivative or any(words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name) for name in others):
        return ["upstream", "derivative"]
    return ["upstream", "derivative"] if first in fronts else ["upstream"]
