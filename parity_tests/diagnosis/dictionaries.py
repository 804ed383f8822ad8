"""A network as two functions and a dictionary of parameters, without its loss, as many courses write it.

The keys that ``forward_propagation(X, parameters)`` and ``backward_propagation(parameters, cache, X, Y)`` use tell what
is in the dictionary, and the order of their products tells the shapes. The loss is defined elsewhere: it is taken to be
the usual one under which most of the gradients are right.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parity_tests.diagnosis.assumed_losses import LOSSES, count_of_examples
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.running import LearnerRaisedError, Stage
from parity_tests.harness import arrays

HIDDEN = (4, 6, 7, 8)
OUTPUTS = 2
STEP = 2.0**-17


class Network:
    """The two functions and a loss as one object, with the dictionary in an attribute."""

    def __init__(self, found: Found, holder: str, parameters: dict[str, np.ndarray]) -> None:
        self._found, self._holder, self.parameters = found, holder, parameters
        self._loss: Callable = LOSSES[0].value

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
        for parameter in self._found.parameters(self._found.backward):
            name = parameter.name
            if name in self._handed:
                given[name] = self._handed[name]
            elif words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name):
                given[name] = self._target
            elif words.CACHES.search(name) and self._rest:
                given[name] = self._rest[0] if len(self._rest) == 1 else self._rest
            elif parameter.default is parameter.empty:
                given[name] = self._output if words.OUTPUTS.match(name) or not self._rest else self._rest[0]
        return given


@dataclass
class Completed:
    """What can be compared, on which inputs, and what was assumed."""

    found: Found
    inputs: tuple[np.ndarray, ...]
    said: list[str]


def complete(found: Found, inputs: tuple[np.ndarray, ...], stage: Stage, seed: int) -> Completed | None:
    """Return the network with its dictionary filled and its loss, None if it is not of this kind."""
    holder, keys = _dictionary(found)
    if found.backward is None or not keys or len(inputs) != 1 or inputs[0].ndim != 2:
        return None
    (x,) = inputs
    for columns in (True, False):
        for parameters in _filled(keys, x.shape[0 if columns else 1], columns):
            network = Network(found, holder, parameters)
            try:
                with stage(found.forward_name):
                    output = np.asarray(network.outputs(np.array(x)))
            except LearnerRaisedError:
                continue
            if output.shape == ((OUTPUTS, x.shape[1]) if columns else (x.shape[0], OUTPUTS)):
                return _with_loss(network, x, output, columns, stage, seed)
    return None


def _dictionary(found: Found) -> tuple[str, list[str]]:
    try:
        source = inspect.getsource(found.forward)
    except (OSError, TypeError):
        return "", []
    for parameter in found.parameters(found.forward)[1:]:
        keys = re.findall(rf"\b{re.escape(parameter.name)}\[['\"](\w+)['\"]\]", source)
        if keys:
            return parameter.name, list(dict.fromkeys(keys))
    return "", []


def _filled(keys: list[str], features: int, columns: bool) -> list[dict[str, np.ndarray]]:
    weights = [key for key in keys if key.lower().startswith(("w", "theta"))]
    biases = [key for key in keys if key.lower().startswith("b")]
    if len(weights) + len(biases) != len(keys) or not weights or len(biases) > len(weights) or len(weights) > 4:
        return []
    widths = [features, *HIDDEN[: len(weights) - 1], OUTPUTS]
    found = []
    for turned, flat in ((columns, False), (columns, True), (not columns, False), (not columns, True)):
        shapes = {}
        for number, key in enumerate(sorted(weights)):
            into, out = widths[number], widths[number + 1]
            shapes[key] = (out, into) if turned else (into, out)
        for number, key in enumerate(sorted(biases)):
            out = widths[number + 1]
            shapes[key] = (out,) if flat else (out, 1) if columns else (1, out)
        found.append({key: arrays.array(shape, seed=i) for i, (key, shape) in enumerate(shapes.items())})
    return found


def _with_loss(
    network: Network, x: np.ndarray, output: np.ndarray, columns: bool, stage: Stage, seed: int
) -> Completed | None:
    rng = np.random.default_rng(seed)
    hot = np.eye(OUTPUTS)[rng.integers(0, OUTPUTS, max(output.shape))]
    sums_to_one = np.allclose(output.sum(axis=0 if columns else 1), 1)
    y = (hot.T if columns else hot) if sums_to_one else rng.integers(0, 2, output.shape).astype(np.float64)
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
    count = len(network.parameters)
    shapes = ", ".join(f"{key} {values.shape}" for key, values in network.parameters.items())
    loss_words = best.words.format(m=count_of_examples(x, y))
    said = [
        f"{network._holder} was filled with {shapes}, by the keys and products in {network._found.forward_name}",
        f"the loss is not in the file: assumed to be {loss_words}; under it {right} of the {count} gradients are right",
    ]
    title = network._found.forward_name
    found = Found(title, network.forward, network.backward, owner=network, module=network._found.module)
    return Completed(found, (x, y), said)


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
