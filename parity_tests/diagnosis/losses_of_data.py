"""An autoencoder: its loss and its backward take the data, or the target, after forward: ``loss(x)``, ``backward(x)``.

The data have the name that they have in forward, so that ``backward(x)`` could be read as one of a layer; that there is
a loss of the same data, and what it takes, tells them apart.
"""

import inspect
from collections.abc import Callable

import numpy as np

from parity_tests.diagnosis.assumed_losses import OF_PREDICTIONS, Loss, is_number
from parity_tests.diagnosis.methods import Giving, Method
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import is_upstream, return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.request import Request


def completed(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> Method | None:
    """Return the network with its own loss, None if it is not of this kind."""
    fronts = _required(found.parameters(found.forward))
    backs = _required(found.parameters(found.backward))
    is_loss = found.forward_name in OF_PREDICTIONS
    if found.owner is None or is_loss or request.target is not None or len(fronts) != 1 or len(inputs) != 1:
        return None
    if not any(_is_data(name, fronts[0]) or words.TARGETS.match(name) for name in backs):
        return None
    for name in OF_PREDICTIONS:
        own = getattr(found.owner, name, None)
        if not inspect.ismethod(own):
            continue
        passes = _Passes(found, own, fronts[0])
        try:
            with stage(name, reseed=True):
                value = passes.loss(np.copy(inputs[0]))
        except (LearnerRaisedError, _NotOfDataError):
            continue
        finally:
            found.world.restore()
        if is_number(value):
            front = found.parameters(found.forward)[:1]
            method = Called(passes.backward, found.backward).taking(front)
            gives = Giving(found.owner, method, found.module, inputs, stage, request, options, found.world)
            read = gives.gradients([Loss(Called(passes.loss, own).taking(front), "")])
            taken = " and ".join(dict.fromkeys([name, found.backward_name]))
            read.said.append(f"{taken}: called with the data after {found.forward_name}")
            return read
    return None


class _NotOfDataError(Exception):
    """A loss or a backward takes what is neither the data nor what forward returned."""


class _Passes:
    """Forward with the loss after it, and backward after both."""

    def __init__(self, found: Found, loss: Callable, data: str) -> None:
        self._found, self._loss, self._data = found, loss, data
        self._made: tuple = ()

    def loss(self, x: object) -> object:
        made = self._found.forward(x)
        self._made = made if isinstance(made, tuple) else (made,)
        taken = self._taken(self._loss, x)
        if not any(value is x for value in taken) or not self._says_data():
            raise _NotOfDataError
        return self._loss(*taken)

    def backward(self, x: object) -> object:
        return self._found.backward(*self._taken(self._found.backward, x))

    def _says_data(self) -> bool:
        # Where both take a target, and neither the data, it is another input.
        methods = self._loss, self._found.backward
        names = [name for method in methods for name in _required(inspect.signature(method).parameters.values())]
        return any(_is_data(name, self._data) for name in names)

    def _taken(self, method: Callable, x: object) -> list:
        """Return what a method takes, by its arguments' names, or all that forward returned in its order."""
        names = return_names(undecorated(self._found.forward))
        made = dict(zip(names, self._made, strict=True)) if len(names) == len(self._made) else {}
        wanted = _required(inspect.signature(method).parameters.values())
        given = {name: x for name in wanted if _is_data(name, self._data) or words.TARGETS.match(name)}
        given |= {name: made[name] for name in wanted if name in made}
        left = [name for name in wanted if name not in given]
        if len(left) not in (0, len(self._made)) or any(map(is_upstream, left)):
            raise _NotOfDataError
        given |= dict(zip(left, self._made, strict=False))
        return [given[name] for name in wanted]


def _required(parameters: list[inspect.Parameter]) -> list[str]:
    return [p.name for p in parameters if p.default is p.empty]


def _is_data(name: str, front: str) -> bool:
    return name == front or bool(words.DATA.match(name))
