"""How forward and backward are called: what each argument gets, and what the returned values are.

There may be several ways to read a signature; each is a `Plan`, the likeliest first.
"""

import ast
import copy
import inspect
import itertools
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.reading import adapters
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError

RATE = 0.125
"""The learning rate for a backward that also steps: a power of two, so that the step shows the exact gradient."""


class Context:
    """The ``ctx`` in which ``forward(ctx, x)`` keeps things for ``backward(ctx, grad)``."""

    def __init__(self) -> None:
        self.saved_tensors: tuple = ()
        self.needs_input_grad = (True,) * 16

    def save_for_backward(self, *values: object) -> None:
        """Keep what backward will ask for."""
        self.saved_tensors = self.saved_values = self.saved_arrays = self.saved = self.to_save = values


@dataclass
class Options:
    """What the caller says about the code: forward's further arguments, the mode, which input is a target.

    ``columns``: our arrays have the examples in rows, like PyTorch's, and the learner's have them in columns.
    ``in_columns``: both have them in columns.
    """

    extras: dict[str, object] = field(default_factory=dict)
    training: bool = True
    target: int | None = None
    torch_order: bool = False
    columns: bool = False
    in_columns: bool = False
    file: str = ""


@dataclass
class Plan:
    """One way to call the two functions.

    Attributes
    ----------
    order : tuple of int
        The inputs in the order of forward's arguments.
    convention : str
        "upstream": backward gets the upstream gradient. "derivative": it gets forward's arguments, and returns the
        derivative. "none": it gets nothing, or forward's arguments, and returns the loss's gradient.
    onehot : bool
        Whether an integer target is passed as one-hot rows.
    mean : bool
        Whether the output has one number per example, and the gradients are those of its mean.
    """

    found: Found
    options: Options
    order: tuple[int, ...]
    convention: str
    onehot: bool = False
    mean: bool = False
    gradient_of: int = 0
    classes: int = 0
    returned: object = None
    extra_words: list[str] = field(default_factory=list)

    # Forward.

    def forward(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Call forward on (copies of) the inputs; return the outputs that have a gradient, and keep the rest."""
        found, self.context, self.pulled, self.filled = self.found, Context(), None, {}
        passed = [self._dressed(values, i) for i, values in enumerate(inputs)]
        self.inputs = passed
        arguments = self._forward_arguments([passed[i] for i in self.order])
        context = (self.context,) if found.has_context(found.forward) else ()
        self.returned = found.forward(*context, *arguments[0], **arguments[1])
        self.outputs, self.rest = self._outputs(self.returned)
        return tuple(self._undressed(output) for output in self.outputs)

    def _dressed(self, values: np.ndarray, index: int) -> np.ndarray:
        values = np.array(values)
        if self.onehot and index == self.options.target:
            values = np.eye(self.classes)[values]
        return np.array(values.T) if self.options.columns and values.ndim == 2 else values

    def _undressed(self, values: np.ndarray | None) -> np.ndarray | None:
        if values is None or not self.options.columns or np.ndim(values) != 2:
            return values
        return np.asarray(values).T

    def _forward_arguments(self, inputs: list) -> tuple[list, dict]:
        parameters = self.found.parameters(self.found.forward)
        self.filled = dict(zip([p.name for p in parameters], inputs, strict=False))
        if any(p.kind is p.VAR_POSITIONAL for p in parameters) or not parameters:
            return inputs, {}
        self.filled = {}
        taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        given, named = [], {}
        waiting = list(inputs)
        for parameter in parameters:
            if parameter.name in self.options.extras:
                value = copy.deepcopy(self.options.extras[parameter.name])
            elif words.SWITCHES.match(parameter.name):
                value = self.options.training
            elif parameter.name in words.PARAMS and parameter.default is parameter.empty:
                value = dict(words.PARAMS[parameter.name])
                if "mode" in value and not self.options.training:
                    value["mode"] = "test"
                said = f"{parameter.name} = {value} (assumed; --args can change it)"
                if said not in self.extra_words:
                    self.extra_words.append(said)
            elif parameter.name == "mode" and parameter.default is parameter.empty and not waiting:
                value = "train" if self.options.training else "test"
            elif words.GENERATORS.match(parameter.name):
                value = np.random.default_rng(0)
            elif waiting:
                value = waiting.pop(0)
            elif parameter.default is not parameter.empty or parameter not in taken:
                continue
            else:
                raise self._missing(parameter.name)
            self.filled[parameter.name] = value
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            elif len(given) == taken.index(parameter):
                given.append(value)
            else:
                named[parameter.name] = value
        if waiting:
            raise NotUnderstoodError(
                f"{self.found.forward_name} takes {len(inputs) - len(waiting)} of the {len(inputs)} inputs"
            )
        return given, named

    def _missing(self, name: str) -> NotUnderstoodError:
        found = self.found
        adapter = adapters.of_functions(found.forward, found.backward, self.options.file, [name])
        return NotUnderstoodError(
            f"{found.forward_name} takes {name}: say what it is with a further --input SHAPE, or with --args "
            f'"{name}=..."',
            adapter,
        )

    def _outputs(self, returned: object) -> tuple[tuple[np.ndarray, ...], tuple]:
        backs = self.found.parameters(self.found.backward)
        if isinstance(returned, list) and returned and all(isinstance(v, np.ndarray) for v in returned):
            returned = tuple(returned)
        if isinstance(returned, tuple) and returned:
            if self.found.backward is None and len(returned) == 2 and callable(returned[1]):
                self.pulled = returned[1]
                return self._outputs(returned[0])
            upstream = [p for p in backs if _is_upstream(p.name) and p.default is p.empty]
            any_number = any(p.kind is p.VAR_POSITIONAL for p in backs)
            leading = list(itertools.takewhile(self._is_output, returned))
            count = len(leading) if any_number else max(1, min(len(upstream), len(leading)))
            if self.found.backward is None:
                count = 1
            return tuple(np.asarray(v) for v in returned[:count]), returned[count:]
        if returned is None:
            found = self._attribute()
            if found is None:
                raise LearnerRaisedError(
                    f"{self.found.forward_name}: expected an array, got None: is the return missing?"
                )
            return (np.asarray(found),), ()
        if isinstance(returned, dict | str | list | set):
            kind = type(returned).__name__
            raise LearnerRaisedError(f"{self.found.forward_name}: expected an array, got {kind}")
        values = returned if isinstance(returned, np.ndarray) else np.asarray(returned)
        if values.dtype.kind not in "fiub":
            if hasattr(returned, "data") and isinstance(returned.data, np.ndarray):
                return (returned.data,), (returned,)
            raise LearnerRaisedError(f"{self.found.forward_name}: expected an array, got {type(returned).__name__}")
        return (values,), ()

    def _is_output(self, value: object) -> bool:
        if any(value is one for one in self.inputs):
            return False
        return isinstance(value, np.ndarray | float | np.floating) and np.asarray(value).dtype.kind == "f"

    def _attribute(self) -> np.ndarray | None:
        # Forward returned nothing: take the array that it left in an attribute, under the likeliest name.
        owner = self.found.owner
        for name in ("output", "outputs", "out", "y", "Y", "result", "loss", "a", "A", "z", "Z", "activation", "y_hat"):
            value = getattr(owner, name, None)
            if isinstance(value, np.ndarray | float) and not any(value is one for one in self.inputs):
                self.output_name = name
                return value
        return None

    # Backward.

    def backward(self, grads: tuple[np.ndarray, ...], rate: float = RATE) -> dict[str, np.ndarray | None]:
        """Call backward; return the arrays that it returned, by a name or a place in what it returned."""
        self.factor = np.asarray(1.0)
        passed = [self._undressed(np.array(grad)) if np.ndim(grad) else grad for grad in grads]
        self.passed = passed
        function = self.pulled or self.found.backward
        if function is None:
            return self._beside_the_loss(passed)
        arguments, uses_upstream = self._backward_arguments(function, passed, rate)
        context = (self.context,) if self.found.has_context(function) else ()
        result = function(*context, *arguments[0], **arguments[1])
        if not uses_upstream:
            self.factor = np.asarray(passed[0])
        leaves = _leaves(result, _return_names(function))
        self.leaf_names = list(leaves)
        return leaves

    def _beside_the_loss(self, passed: list) -> dict[str, np.ndarray | None]:
        if not self.rest:
            raise NotUnderstoodError(
                f"there is no backward for {self.found.title}: name it, as in FILE.py:FORWARD,BACKWARD",
                adapters.of_functions(self.found.forward, None, self.options.file, []),
            )
        self.factor = np.asarray(passed[0])
        names = _return_names(self.found.forward)[1:]
        if len(self.rest) == 1:
            return _leaves(self.rest[0], names)
        return _leaves(self.rest, names)

    def _backward_arguments(self, function: Callable, grads: list, rate: float) -> tuple[tuple[list, dict], bool]:
        parameters = self.found.parameters(function)
        fronts = [p.name for p in self.found.parameters(self.found.forward)]
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return (list(grads), {}), True
        waiting = list(grads)
        if self.convention == "upstream":
            wanted = [p.name for p in parameters if _is_upstream(p.name) and p.name not in fronts]
            if not wanted:
                free = [p.name for p in parameters if not words.CACHES.search(p.name)]
                wanted = free[:1]
            takers = wanted[: len(grads)]
        else:
            takers = []
        given, named, inputs = [], {}, dict(self._by_name())
        unnamed = [values for name, values in inputs.items()]
        for parameter in parameters:
            name, optional = parameter.name, parameter.default is not parameter.empty
            if name in takers and waiting:
                value = waiting.pop(0)
                value = float(value) if np.ndim(value) == 0 else value
            elif parameter.kind is parameter.VAR_KEYWORD:
                continue
            elif name in inputs:
                value = inputs[name]
                unnamed = [one for one in unnamed if one is not value]
            elif name in self.filled:
                value = self.filled[name]
            elif self.found.is_rate(name):
                value = rate
            elif optional:
                continue
            elif words.CACHES.search(name) or (self.rest and not unnamed):
                value = self.rest[0] if len(self.rest) == 1 else self.rest
            elif self.rest and not any(isinstance(values, np.ndarray) for values in unnamed):
                value = self.rest[0]
            elif words.TARGETS.match(name) and self.options.target is not None:
                value = self.inputs[self.options.target]
            elif self.rest and len(self.rest) == 1 and self.convention == "upstream":
                value = self.rest[0]
            elif words.OUTPUTS.match(name) and self.convention == "upstream":
                value = self.outputs[0]
            elif unnamed:
                value = unnamed.pop(0)
            else:
                raise NotUnderstoodError(
                    f"{self.found.backward_name} takes {name}, and it is not clear what that is",
                    adapters.of_functions(self.found.forward, self.found.backward, self.options.file, [name]),
                )
            if parameter.kind is parameter.KEYWORD_ONLY or named or (optional and name not in takers):
                named[name] = value
            else:
                given.append(value)
        return (given, named), bool(takers)

    def _by_name(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, value in self.filled.items():
            if any(value is one for one in self.inputs):
                yield name, value


def _is_upstream(name: str) -> bool:
    return bool(words.UPSTREAM.match(name)) and not words.CACHES.search(name)


def _leaves(result: object, names: list[str]) -> dict[str, np.ndarray | None]:
    """Return the arrays in what backward returned, flattened, by name where the code has one, else by place."""
    if result is None:
        return {}
    if isinstance(result, np.ndarray | float | int | np.generic):
        return {names[0] if len(names) == 1 else "": np.asarray(result)}
    found: dict[str, np.ndarray | None] = {}
    items = (
        result.items() if isinstance(result, dict) else enumerate(result) if isinstance(result, list | tuple) else ()
    )
    for number, (key, value) in enumerate(items):
        positional = isinstance(result, list | tuple)
        label = names[number] if positional and len(names) == len(result) and names[number] else f"[{key}]"
        label = label if positional else str(key)
        if value is None:
            found[label] = None
            continue
        for inner, leaf in _leaves(value, []).items():
            found[f"{label}.{inner}".strip(".")] = leaf
    return found


def _return_names(function: Callable) -> list[str]:
    """Return the names in a function's last return statement, "" for what has none."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return []
    returns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    if not returns:
        return []
    last = max(returns, key=lambda node: node.lineno)
    nodes = last.elts if isinstance(last, ast.Tuple | ast.List) else [last]
    return [_node_name(node) for node in nodes]


def _node_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def plans(found: Found, options: Options, inputs: tuple[np.ndarray, ...]) -> Iterator[Plan]:
    """Yield the ways in which ``found`` may be meant to be called, the likeliest first."""
    integer = options.target is not None and inputs[options.target].dtype.kind in "iu"
    classes = inputs[0].shape[1] if integer and inputs[0].ndim > 1 else 0
    for order, onehot, convention in itertools.product(
        _orders(found, options, len(inputs)), (False, True) if classes else (False,), _conventions(found)
    ):
        for mean in (False, True) if convention != "upstream" else (False,):
            yield Plan(found, options, order, convention, onehot, mean, classes=classes)


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


def _conventions(found: Found) -> list[str]:
    function = found.backward
    if function is None:
        return ["upstream"]
    parameters = [p for p in found.parameters(function) if p.kind is not p.VAR_KEYWORD]
    if not parameters:
        return ["none"]
    fronts = [p.name for p in found.parameters(found.forward)]
    first = parameters[0].name
    required = [p for p in parameters if p.default is p.empty]
    if (found.derivative and (first in fronts or not _is_upstream(first))) or (
        required and len(required) > 1 and [p.name for p in required] == fronts[: len(required)]
    ):
        return ["derivative", "upstream"]
    others = [p.name for p in required[1:]]
    if found.derivative or any(words.TARGETS.match(name) or words.MAYBE_TARGETS.match(name) for name in others):
        return ["upstream", "derivative"]
    return ["upstream", "derivative"] if first in fronts else ["upstream"]
