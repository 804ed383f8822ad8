"""What each of backward's arguments gets: an upstream gradient, an input, what forward kept, or the learning rate."""

import inspect
from typing import TYPE_CHECKING

import numpy as np

from parity_tests.diagnosis.reading import adapters
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.kept import Kept
from parity_tests.diagnosis.reading.locals_of_forward import is_option
from parity_tests.diagnosis.reading.nested import opened
from parity_tests.diagnosis.reading.running import NotUnderstoodError

if TYPE_CHECKING:
    from parity_tests.diagnosis.reading.plans import Plan


def backward_arguments(
    plan: "Plan", parameters: list[inspect.Parameter], upstream: dict[str, object], rate: float
) -> tuple[list, dict[str, object], set[int]]:
    """Return backward's arguments by place and by name, and which of the values that forward returned are among them.

    Parameters
    ----------
    plan : Plan
        After its forward.
    parameters : list of inspect.Parameter
        Those of backward.
    upstream : dict of str to object
        The arguments that get upstream gradients.
    rate : float
        The learning rate, for a backward that takes a step.

    Raises
    ------
    NotUnderstoodError
        If it is not clear what one of them is.
    """
    given, named = [], {}
    inputs = {name: value for name, value in plan.filled.items() if any(value is one for one in plan.inputs)}
    unnamed = list(inputs.values())
    extras = plan.options.extras
    numbers = {name: value for name, value in plan.locals.items() if is_option(value)}
    known = {*upstream, *plan.filled, *extras, *numbers}
    unknown = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    unknown = [name for name in unknown if name not in known and not words.RATES.match(name)]
    apart = opened(undecorated(plan.pulled or plan.found.backward))
    kept = Kept(plan.made, plan.split, [p.name for p in parameters], unknown, plan.shaken, apart)
    for number, parameter in enumerate(parameters):
        name, optional = parameter.name, parameter.default is not parameter.empty
        arrays_wait = any(isinstance(values, np.ndarray) for values in unnamed)
        if name in upstream:
            value = upstream[name]
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif name in inputs:
            value = inputs[name]
            unnamed = [one for one in unnamed if one is not value]
        elif name in plan.filled:
            value = plan.filled[name]
        elif name in extras:
            value = extras[name]
        elif plan.found.is_rate(parameter):
            value = rate
        elif kept.has(name, optional):
            value = kept.value(name)
        elif optional:
            continue
        elif name in numbers or (name in plan.locals and not kept.assigns(name)):
            value = plan.locals[name]
            plan.say(f"{name}: as {plan.found.forward_name} has it")
        elif kept.count and (words.CACHES.search(name) or not arrays_wait or (name in apart and kept.assigns(name))):
            value = kept.value(name)
        elif words.TARGETS.match(name) and plan.options.target is not None:
            value = plan.inputs[plan.options.target]
        elif kept.count == 1 and plan.convention == "upstream":
            value = kept.value(name)
        elif plan.at_output or (words.OUTPUTS.match(name) and plan.convention == "upstream"):
            value = plan.outputs[0]
        elif plan.of_prediction and (made := plan.prediction()) is not None:
            value = made
        elif unnamed:
            value = unnamed.pop(0)
        else:
            hint = f' (say what it is with --args "{name}=...")' if plan.found.owner is None else ""
            raise NotUnderstoodError(
                f"{plan.found.backward_name} takes {name}, and it is not clear what that is{hint}",
                adapters.of_functions(plan.found.forward, plan.found.backward, plan.options.file, [name]),
            )
        if parameter.kind is parameter.KEYWORD_ONLY or len(given) < number:
            named[name] = value
        else:
            given.append(value)
    return given, named, kept.handed
