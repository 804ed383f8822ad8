"""A network as two functions and a dictionary of parameters, without its loss, as many courses write it.

The keys that ``forward_propagation(X, parameters)`` reads tell what is in the dictionary, and the order of their
products tells the shapes; it may also be given. The loss is that of the file. Where it is defined elsewhere, it is
taken to be the usual one under which most of the gradients are right.
"""

import dataclasses
import functools
import inspect
import itertools
import types
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import asked_keys, targets
from parity_tests.diagnosis.assumed_losses import LOSSES, OF_PREDICTIONS, count_of_examples
from parity_tests.diagnosis.filled_dictionaries import filled
from parity_tests.diagnosis.loss_arguments import prediction_first
from parity_tests.diagnosis.methods import Method
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays

OUTPUTS = (2, 1)
STEP = 2.0**-17


class Network:
    """The two functions and a loss as one object, with the dictionary in an attribute."""

    def __init__(self, found: Found, holder: str, parameters: dict[str, np.ndarray], options: dict) -> None:
        self._found, self._holder, self.parameters, self._options = found, holder, parameters, options
        self._names = return_names(undecorated(found.forward))
        self._loss: Callable = LOSSES[0].value
        self.own_loss = _loss_beside(found.module, holder)
        if self.own_loss is not None:
            self._loss = self._value_of_own_loss

    def outputs(self, x: np.ndarray) -> object:
        """Run forward; keep what it returns besides the output for backward."""
        handed = {_data(self._found, self._holder): x, self._holder: self.parameters, **self._options}
        returned = self._found.forward(**handed)
        parts = returned if isinstance(returned, tuple) else (returned,)
        self._handed, self._rest = handed, parts[1:]
        return parts[0]

    def forward(self, X: np.ndarray, Y: np.ndarray) -> object:
        """Return the loss."""
        self._output, self._target = self.outputs(X), Y
        return self._loss(self._output, Y, count_of_examples(X, Y))

    def backward(self, grad: float = 1.0) -> dict:
        """Return the gradients that backward returns, times ``grad``."""
        returned = self._found.backward(**self._arguments())
        grads = returned[0] if isinstance(returned, tuple) and isinstance(returned[0], dict) else returned
        if not isinstance(grads, dict):
            raise LearnerRaisedError(f"{self._found.backward_name}: expected a dictionary of gradients")
        return {key: grad * values for key, values in grads.items() if isinstance(values, np.ndarray)}

    def _arguments(self) -> dict:
        given = {}
        values = (self._output, *self._rest)
        made = dict(zip(self._names, values, strict=True)) if len(self._names) == len(values) else {}
        for parameter in self._found.parameters(self._found.backward):
            name = parameter.name
            if name in self._handed:
                given[name] = self._handed[name]
            elif words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name):
                given[name] = self._target
            elif name in made:
                given[name] = made[name]
            elif words.CACHES.search(name) and self._rest:
                given[name] = self._rest[0] if len(self._rest) == 1 else self._rest
            elif parameter.default is parameter.empty:
                given[name] = self._output if words.OUTPUTS.match(name) or not self._rest else self._rest[0]
        return given

    def _value_of_own_loss(self, p: np.ndarray, y: np.ndarray, m: int) -> object:
        names = [one.name for one in inspect.signature(self.own_loss).parameters.values()]
        given = {self._holder: self.parameters} if self._holder in names else {}
        return prediction_first(functools.partial(self.own_loss, **given))(p, y)


def completed(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> tuple[Request, Method | None, tuple[np.ndarray, ...]]:
    """Return the network with its dictionary filled and its loss, None if it is not of this kind.

    The request and the inputs fit its target.
    """
    backs = [p.name for p in found.parameters(found.backward)]
    takes_target = any(words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name) for name in backs)
    if not takes_target or found.owner is not None or inputs[0].ndim != 2 or len(request.inputs) > 2:
        return request, None, inputs
    for network, columns, shape in _networks(found, options.extras, inputs[0], stage):
        if len(request.inputs) > 1 and shape not in (None, request.inputs[1]):
            continue
        try:
            with stage(found.forward_name):
                output = np.asarray(network.outputs(np.array(inputs[0])))
        except LearnerRaisedError:
            continue
        if output.shape == (shape or output.shape) and output.ndim == 2:
            options.extras = {}
            return _with_target(request, network, inputs, output, columns, shape is None, stage)
    return request, None, inputs


def _networks(
    found: Found, given: dict[str, object], x: np.ndarray, stage: Stage
) -> Iterator[tuple[Network, bool, tuple[int, int] | None]]:
    """Yield networks, whether their examples are the columns, and what the shape of the output has to be."""
    holder = next((name for name, value in given.items() if _is_filled(value)), None)
    others = {name: value for name, value in given.items() if name != holder}
    if holder is not None and _data(found, holder):
        columns = any(np.shape(values)[1:] == x.shape[:1] for values in given[holder].values())
        yield Network(found, holder, given[holder], others), columns, None
        return
    for name, keys in _dictionaries(found, others, x, stage):
        for width, columns in itertools.product(OUTPUTS, (True, False)):
            shape = (width, x.shape[1]) if columns else (x.shape[0], width)
            for parameters in filled(keys, x.shape[0 if columns else 1], width, columns):
                yield Network(found, name, parameters, others), columns, shape


def _is_filled(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, np.ndarray) for one in value.values())


def _data(found: Found, holder: str) -> str:
    """Return the name of forward's argument that is the data, beside the dictionary; "" if there is none."""
    return next((p.name for p in found.parameters(found.forward) if p.name != holder), "")


def _dictionaries(
    found: Found, given: dict[str, object], x: np.ndarray, stage: Stage
) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of forward's dictionary, and what its keys may be."""
    for parameter in found.parameters(found.forward):
        data = _data(found, parameter.name)
        if not data or {data, parameter.name} & set(given):
            continue

        def run(asked: dict, holder: str = parameter.name, data: str = data) -> None:
            found.forward(**{data: np.array(x), holder: asked, **given})

        for keys in asked_keys.keys(run, stage):
            yield parameter.name, keys
        found.world.restore()


def _loss_beside(module: types.ModuleType | None, holder: str) -> Callable | None:
    """Return the file's loss of a prediction and a target; it may take the dictionary, too."""
    for name in OF_PREDICTIONS:
        function = getattr(module, name, None)
        if isinstance(function, types.FunctionType):
            parameters = inspect.signature(function).parameters.values()
            if sum(one.default is one.empty and one.name != holder for one in parameters) == 2:
                return function
    return None


def _with_target(
    request: Request,
    network: Network,
    inputs: tuple[np.ndarray, ...],
    output: np.ndarray,
    columns: bool,
    given: bool,
    stage: Stage,
) -> tuple[Request, Method | None, tuple[np.ndarray, ...]]:
    sums_to_one = np.allclose(output.sum(axis=0 if columns else 1), 1)
    request = dataclasses.replace(targets.with_shape_of_target(request, 1), target_shape=output.shape)
    if sums_to_one or request.target in ("classes", "one-hot"):
        request = dataclasses.replace(request, inputs=request.inputs[:1], target=None, target_shape=None)
    inputs, _ = targets.draw(request, arrays.array)
    if len(inputs) == 1:
        rng = np.random.default_rng(request.seed)
        width, count = output.shape if columns else output.shape[::-1]
        hot = np.eye(width)[rng.integers(0, width, count)]
        hot_or_binary = (hot.T if columns else hot) if sums_to_one else rng.integers(0, 2, output.shape)
        inputs = (*inputs, hot_or_binary.astype(np.float64))
    method = _with_loss(network, *inputs, sums_to_one, given, stage)
    return request, method, inputs


def _with_loss(
    network: Network, x: np.ndarray, y: np.ndarray, sums_to_one: bool, given: bool, stage: Stage
) -> Method | None:
    count = len(network.parameters)
    shapes = ", ".join(f"{key} {values.shape}" for key, values in network.parameters.items())
    assumed = f"{network._holder} was filled with {shapes}, by the keys and products in {network._found.forward_name}"
    said = [] if given else [assumed]
    found = Found(
        network._found.forward_name,
        network.forward,
        network.backward,
        owner=network,
        module=network._found.module,
        of_data=True,
    )
    if network.own_loss is not None:
        said.append(f"the loss is {network.own_loss.__name__} of what {network._found.forward_name} returns")
        return Method(found=found, said=said)
    best, right = None, 0
    # For two outputs that sum to one the two cross-entropies are the same; softmax's keeps its own name.
    for loss in sorted(LOSSES, key=lambda one: sums_to_one and not one.of_rows):
        network._loss = loss.value
        try:
            with stage(network._found.backward_name):
                network.forward(x, y)
                grads = network.backward()
                agree = sum(_agrees(network, key, grads, x, y) for key in network.parameters)
        except LearnerRaisedError:
            return None
        if agree > right:
            best, right = loss, agree
    if best is None:
        return None
    network._loss = best.value
    loss_words = best.words.format(m=count_of_examples(x, y))
    said.append(
        f"the loss is not in the file: assumed to be {loss_words}; under it {right} of the {count} gradients are right"
    )
    return Method(found=found, said=said)


def _agrees(network: Network, key: str, grads: dict, x: np.ndarray, y: np.ndarray) -> bool:
    named = {name: words.undressed(name) | {name} for name in grads}
    found = next((grads[name] for name, owners in named.items() if any(words.alike(key, one) for one in owners)), None)
    values = network.parameters[key]
    if found is None or found.size != values.size:
        return False
    found = found.reshape(values.shape)
    for index in np.ndindex(values.shape):
        start, ends = values[index], []
        for step in (STEP, -STEP):
            values[index] = start + step
            ends.append(float(network.forward(x, y)))
        values[index] = start
        slope = (ends[0] - ends[1]) / (2 * STEP)
        if not abs(found[index] - slope) <= 1e-6 * (1 + abs(slope)):
            return False
    return True
