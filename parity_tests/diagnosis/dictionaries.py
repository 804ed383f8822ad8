"""A network as two functions and a dictionary of parameters, without its loss, as many courses write it.

The keys that ``forward_propagation(X, parameters)`` and ``backward_propagation(parameters, cache, X, Y)`` use tell what
is in the dictionary, and the order of their products tells the shapes; of keys made from a number, ``"W" + str(l)``,
there are three. The loss is that of the file. Where it is defined elsewhere, it is taken to be the usual one under
which most of the gradients are right.
"""

import dataclasses
import functools
import inspect
import itertools
import re
import types
from collections.abc import Callable, Iterator

import numpy as np

from parity_tests.diagnosis import targets
from parity_tests.diagnosis.assumed_losses import LOSSES, OF_PREDICTIONS, count_of_examples, prediction_first
from parity_tests.diagnosis.methods import Method
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.diagnosis.request import Request
from parity_tests.harness import arrays

HIDDEN = (4, 6, 7, 8)
OUTPUTS = (2, 1)
NUMBERS = ((1, 2, 3), (0, 1, 2))
STEP = 2.0**-17


class Network:
    """The two functions and a loss as one object, with the dictionary in an attribute."""

    def __init__(self, found: Found, holder: str, parameters: dict[str, np.ndarray]) -> None:
        self._found, self._holder, self.parameters = found, holder, parameters
        self._names = return_names(undecorated(found.forward))
        self._loss: Callable = LOSSES[0].value
        self.own_loss = _loss_beside(found.module, holder)
        if self.own_loss is not None:
            self._loss = self._value_of_own_loss

    def outputs(self, x: np.ndarray) -> object:
        """Run forward; keep what it returns besides the output for backward."""
        first, *_ = [p.name for p in self._found.parameters(self._found.forward) if p.name != self._holder]
        returned = self._found.forward(**{first: x, self._holder: self.parameters})
        parts = returned if isinstance(returned, tuple) else (returned,)
        self._handed, self._rest = {first: x, self._holder: self.parameters}, parts[1:]
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
    if not takes_target or found.owner is not None or options.extras or inputs[0].ndim != 2:
        return request, None, inputs
    x = inputs[0]
    for holder, keys in _dictionaries(found) if len(request.inputs) <= 2 else ():
        for width, columns in itertools.product(OUTPUTS, (True, False)):
            shape = (width, x.shape[1]) if columns else (x.shape[0], width)
            if len(request.inputs) > 1 and request.inputs[1] != shape:
                continue
            for parameters in _filled(keys, x.shape[0 if columns else 1], width, columns):
                network = Network(found, holder, parameters)
                try:
                    with stage(found.forward_name):
                        output = np.asarray(network.outputs(np.array(x)))
                except LearnerRaisedError:
                    continue
                if output.shape == shape:
                    return _with_target(request, network, inputs, output, columns, stage)
    return request, None, inputs


def _dictionaries(found: Found) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of forward's dictionary, and what its keys may be."""
    try:
        source = inspect.getsource(found.forward)
    except (OSError, TypeError):
        return
    for parameter in found.parameters(found.forward)[1:]:
        start = rf"\b{re.escape(parameter.name)}\["
        keys = list(dict.fromkeys(re.findall(start + r"['\"](\w+)['\"]\]", source)))
        stems = list(dict.fromkeys(re.findall(start + r"(?:f['\"](\w+)\{|['\"](\w+)['\"]\s*\+)", source)))
        if keys and not stems:
            yield parameter.name, keys
        for numbers in NUMBERS if stems else ():
            yield parameter.name, [f"{one or other}{number}" for number in numbers for one, other in stems]


def _loss_beside(module: types.ModuleType | None, holder: str) -> Callable | None:
    """Return the file's loss of a prediction and a target; it may take the dictionary, too."""
    for name in OF_PREDICTIONS:
        function = getattr(module, name, None)
        if isinstance(function, types.FunctionType):
            parameters = inspect.signature(function).parameters.values()
            if sum(one.default is one.empty and one.name != holder for one in parameters) == 2:
                return function
    return None


def _filled(keys: list[str], features: int, outputs: int, columns: bool) -> list[dict[str, np.ndarray]]:
    weights = [key for key in keys if key.lower().startswith(("w", "theta"))]
    biases = [key for key in keys if key.lower().startswith("b")]
    if len(weights) + len(biases) != len(keys) or not weights or len(biases) > len(weights) or len(weights) > 4:
        return []
    widths = [features, *HIDDEN[: len(weights) - 1], outputs]
    found = []
    for turned, flat in ((columns, False), (columns, True), (not columns, False), (not columns, True)):
        shapes = {}
        for number, key in enumerate(sorted(weights)):
            into, out = widths[number], widths[number + 1]
            shapes[key] = (out, into) if turned else (into, out)
        for number, key in enumerate(sorted(biases)):
            out = widths[number + 1]
            shapes[key] = (out,) if flat else (out, 1) if columns else (1, out)
        # Three layers of the usual numbers would end in probabilities of 0 and 1.
        found.append({key: arrays.array(shape, seed=i) / 4 for i, (key, shape) in enumerate(shapes.items())})
    return found


def _with_target(
    request: Request,
    network: Network,
    inputs: tuple[np.ndarray, ...],
    output: np.ndarray,
    columns: bool,
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
    method = _with_loss(network, *inputs, sums_to_one, stage)
    return request, method, inputs


def _with_loss(network: Network, x: np.ndarray, y: np.ndarray, sums_to_one: bool, stage: Stage) -> Method | None:
    count = len(network.parameters)
    shapes = ", ".join(f"{key} {values.shape}" for key, values in network.parameters.items())
    said = [f"{network._holder} was filled with {shapes}, by the keys and products in {network._found.forward_name}"]
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
