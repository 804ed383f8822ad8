"""What the arguments of a network's method are: inputs and a target, or what forward returned."""

import functools
import inspect
import types
from collections.abc import Callable

from parity_tests.diagnosis import lists_of_pairs, target_shapes, targets
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import method_called
from parity_tests.diagnosis.reading.lookup import named_in
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import Stage
from parity_tests.diagnosis.request import Request


def with_shape_of_target(request: Request, module: types.ModuleType) -> Request:
    """Return the request of a method: of its arguments the last is the target, if the request names one."""
    _, *wanted = arrays_of(named_in(module, request.names, request.path.name))
    return targets.with_shape_of_target(request, len(wanted) - 1)


def with_target_drawn(request: Request, network: object, method: Callable, stage: Stage) -> tuple[Request, list[str]]:
    """Return the request of a method of data and a target where only the data are given, and what to say of it."""
    wanted = lists_of_pairs.names_in_pairs(method) or arrays_of(method)
    if len(wanted) != 2 or not words.DATA.match(wanted[0]):
        return request, []
    takes_target = words.TARGETS.match(wanted[1]) or words.MAYBE_TARGETS.match(wanted[1])
    return target_shapes.drawn(request, network, stage, wanted[1]) if takes_target else (request, [])


def arrays_of(method: Callable) -> list[str]:
    """Return the names of the arguments that a method needs, without learning rates and the like."""
    options = (words.RATES, words.EPOCHS, words.BATCH_SIZES)
    parameters = inspect.signature(method).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and not any(one.match(p.name) for one in options)]


def in_one_step(network: object, method: Callable, examples: int) -> tuple[Callable, list[str]]:
    """Return a training loop as one step, of one epoch on all examples, and what to say of it; others as they are.

    The numbers of epochs and of examples in a batch are arguments; those of a method that fits may be attributes.
    """
    parameters = inspect.signature(method).parameters.values()
    given = {p.name: 1 for p in parameters if words.EPOCHS.match(p.name)}
    given |= {p.name: examples for p in parameters if words.BATCH_SIZES.match(p.name)}
    counts = _counts(network) if words.FITS.match(method.__name__) else []
    kept = {name: 1 for name in counts if words.EPOCHS.match(name.strip("_"))}
    kept |= {name: examples for name in counts if words.BATCH_SIZES.match(name.strip("_"))}
    for name, value in kept.items():
        setattr(network, name, value)
    said = ", ".join(f"{name}={value}" for name, value in (kept | given).items())
    if not given:
        return method, [f"{said}: one step is compared"] if kept else []
    step = Called(functools.partial(method, **given), method).taking([p for p in parameters if p.name not in given])
    return step, [f"{said}: one step is compared"]


def _counts(network: object) -> list[str]:
    """Return the attributes that are whole numbers."""
    return [name for name, value in getattr(network, "__dict__", {}).items() if type(value) is int]


def takes_what_forward_returns(network: object, method: Callable) -> bool:
    """Return whether an argument is called as a cache that forward returns: it is no input."""
    forward = method_called(network, words.FORWARD)
    made = return_names(undecorated(forward)) if forward is not None else []
    return any(words.CACHES.search(name) and name in made for name in inspect.signature(method).parameters)
