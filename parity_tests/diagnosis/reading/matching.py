"""Match the learner's arrays with PyTorch's parameters, by what the names mean and by their shapes."""

import itertools
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.reading.learned import Learned
from parity_tests.diagnosis.reading.learner import Learner, Parameter
from parity_tests.diagnosis.reading.names import meaning
from parity_tests.diagnosis.reading.place import Place
from parity_tests.diagnosis.reading.views import Parts, View, views


def match(
    learner: Learner,
    parameters: dict[str, tuple[int, ...]],
    buffers: dict[str, tuple[int, ...]],
    agrees: Callable[[], bool],
) -> list[str]:
    """Give the learner's parameters PyTorch's names and axes; return the names without a counterpart.

    Where a shape does not tell the order of the axes (a square matrix), ``agrees`` decides: the outputs are compared.
    """
    left, pairs = [one for one in learner.reading.learned if not isinstance(one.view, Parts)], {}
    rules = (
        lambda one, name: one.place.name == name and views(one.shape, parameters[name]),
        lambda one, name: meaning(one.place.last) == name.rpartition(".")[2] and _ends(one, name, parameters),
        lambda one, name: one.shape == parameters[name],
        lambda one, name: bool(views(one.shape, parameters[name])),
        lambda one, name: meaning(one.place.last) == name,
    )
    for rule in rules:
        for name in parameters:
            one = next((one for one in left if name not in pairs and rule(one, name)), None)
            if one is not None:
                pairs[name] = one
                left.remove(one)
    choices = []
    for name, one in pairs.items():
        found = views(one.shape, parameters[name])
        choices.append([(name, one, view) for view in found] or [(name, one, one.view)])
    tried = list(itertools.islice(itertools.product(*choices), 24))
    for chosen in [*tried, *tried[:1]]:
        _rename(learner, chosen)
        _take_buffers(learner, buffers)
        if len(tried) == 1 or agrees():
            break
    return [name for name in parameters if name not in pairs]


def _ends(one: Learned, name: str, parameters: dict[str, tuple[int, ...]]) -> bool:
    return bool(views(one.shape, parameters[name]))


def _rename(learner: Learner, chosen: tuple[tuple[str, Learned, View], ...]) -> None:
    learner.parameters = {}
    for name, one, view in chosen:
        one.name, one.view = name, view
        values = np.array(learner.world.get(one.place), learner.dtype)
        learner.parameters[name] = Parameter(
            view.there(values).copy() if values.size == np.prod(view.shape) else values
        )
    named = [one for _, one, _ in chosen]
    for one in learner.reading.learned:
        if one not in named:
            one.name = one.place.name
            learner.parameters[one.name] = Parameter(learner.values(one))


def _take_buffers(learner: Learner, buffers: dict[str, tuple[int, ...]]) -> None:
    learner.world.restore()
    learner.buffers = {}
    taken: set[Place] = set()
    everything = [(place, values) for place, values in learner.world.places()]
    for name, shape in buffers.items():
        last = name.rpartition(".")[2]
        for place, values in everything:
            if place in taken or np.size(values) != int(np.prod(shape)) or place in _learned(learner):
                continue
            if any(last in (own, meaning(own)) for own in place.spellings):
                kind = learner.dtype if values.dtype.kind == "f" else values.dtype
                learner.buffers[name] = (place, np.array(values, kind).reshape(shape))
                taken.add(place)
                break


def _learned(learner: Learner) -> set[Place]:
    return {one.place for one in learner.reading.learned}
