"""How forward and backward are called: what each argument gets, and what the returned values are.

There may be several ways to read a signature; each is a `Plan`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.reading import adapters, attributes, locals_of_forward
from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.backward_arguments import backward_arguments
from parity_tests.diagnosis.reading.context import Context
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.forward_arguments import forward_arguments
from parity_tests.diagnosis.reading.leaves import is_list_of_numbers, leaves_of
from parity_tests.diagnosis.reading.nested import is_nest, leaves
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import Split, Values, alone, is_upstream, readings, return_names, values_of
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError

RATE = 0.125
"""The learning rate for a backward that also steps: a power of two, so that the step shows the exact gradient."""


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
    split_number : int
        Which of the ways to read what forward returns it is (`outputs.readings`).
    listed : int or None
        The place of forward's argument that takes all inputs from there on: as one list, or as a tuple behind others,
        such as the state (h, c) of an LSTM.
    numbers : bool
        Whether arrays are (nested) lists of Python's numbers.
    parameters_first : bool
        Whether gradients returned without names begin with those of the parameters: (dW, dx).
    at_output : bool
        Whether a derivative's argument is forward's output, as in ``sigmoid_grad(s)``.
    of_prediction : bool
        Whether backward of a loss gets the probabilities that forward left in an attribute, beside the target.
    """

    found: Found
    options: Options
    order: tuple[int, ...]
    convention: str
    onehot: bool = False
    mean: bool = False
    split_number: int = 0
    listed: int | None = None
    parameters_first: bool = False
    numbers: bool = False
    at_output: bool = False
    of_prediction: bool = False
    classes: int = 0
    returned: object = None
    shaken: int | None = None
    extra_words: list[str] = field(default_factory=list)
    locals: dict[str, object] = field(default_factory=dict)
    given: dict[str, object] = field(default_factory=dict)
    _local_names: frozenset[str] | None = None
    _known: dict[tuple, tuple[bool, Split]] = field(default_factory=dict)

    # Forward.

    def forward(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Call forward on (copies of) the inputs; return the outputs that have a gradient, and keep the rest."""
        found, self.context, self.pulled, self.filled = self.found, Context(), None, {}
        passed = [self.dressed(values, i) for i, values in enumerate(inputs)]
        passed = [values.tolist() for values in passed] if self.numbers else passed
        self.inputs = passed
        arguments = self.arguments(passed)
        context = (self.context,) if found.has_context(found.forward) else ()
        given, named = (*context, *arguments[0]), arguments[1]
        self.returned, self.locals = locals_of_forward.called(found.forward, given, named, self._wanted_locals())
        self.outputs = self._outputs(self.returned)
        return tuple(self.undressed(output) for output in self.outputs)

    def dressed(self, values: np.ndarray, index: int) -> np.ndarray:
        """Return (a copy of) an input as the learner has it: an integer target as one-hot rows, examples in columns."""
        values = np.array(values)
        if self.onehot and index == self.options.target:
            values = np.eye(self.classes)[values]
        return np.array(values.T) if self.options.columns and values.ndim == 2 else values

    def undressed(self, values: np.ndarray | None) -> np.ndarray | None:
        """Return an array of the learner's with the examples where ours has them; the way there is the way back."""
        if values is None or not self.options.columns or np.ndim(values) != 2:
            return values
        return np.asarray(values).T

    def arguments(self, passed: list) -> tuple[list, dict]:
        """Return the arguments of forward, given the inputs as the learner has them."""
        inputs = [passed[i] for i in self.order]
        if self.listed is not None:
            rest = inputs[self.listed :]
            inputs = [*inputs[: self.listed], tuple(rest) if self.listed else rest]
        taken = forward_arguments(self.found, self.options, inputs)
        self.filled = taken.filled
        for said in taken.assumed:
            self.say(said)
        return taken.given, taken.named

    def say(self, words: str) -> None:
        """Add a line to what the report says of how the layer was read, once."""
        if words not in self.extra_words:
            self.extra_words.append(words)

    def input_names(self, count: int) -> list[str]:
        """Return forward's own names of the inputs, in the order of the inputs."""
        fronts = [p.name for p in self.found.parameters(self.found.forward) if p.name not in self.options.extras]
        if self.listed is not None:
            at = self.listed
            return [*fronts[:at], *(f"{fronts[at]}[{i}]" for i in range(count - at))]
        found = [f"input {i}" for i in range(count)]
        for place, index in enumerate(self.order):
            if place < len(fronts):
                found[index] = fronts[place]
        return found

    def _outputs(self, returned: object) -> tuple[np.ndarray, ...]:
        if self.found.backward is None and isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1]):
            self.pulled, returned = returned[1], returned[0]
        if self.returns_gradients and _is_loss_last(returned):
            returned = returned[::-1]
        self.handed = set()
        if self.numbers:
            returned = self._as_array(returned)
        names = [] if self.pulled else return_names(undecorated(self.found.forward))
        self.made = values_of(returned, names)
        if self.made is not None:
            self.made, self.split = self._read(self.made)
            return tuple(self._as_output(leaf) for i in self.split.outputs for leaf in leaves(self.made.values[i]))
        if () not in self._known:
            self._known[()] = False, alone(*self._signatures())
        _, self.split = self._known[()]
        if self.split_number:
            raise NotUnderstoodError(f"{self.found.forward_name} returns one value: there is one way to read it")
        if returned is None:
            self.output_name, found = attributes.output(self.found.owner, self.inputs)
            if found is None:
                raise LearnerRaisedError(
                    f"{self.found.forward_name}: expected an array, got None: is the return missing?"
                )
            return (self._as_output(found),)
        if isinstance(returned, dict | str | list | set):
            kind = type(returned).__name__
            raise LearnerRaisedError(f"{self.found.forward_name}: expected an array, got {kind}", returned)
        values = returned if isinstance(returned, np.ndarray) else np.asarray(returned)
        if values.dtype.kind == "c":
            raise LearnerRaisedError(
                f"{self.found.forward_name}: expected an array of real numbers, got {values.dtype}: a complex output "
                "is not compared; return its real and its imaginary part as two arrays"
            )
        if values.dtype.kind not in "fiub":
            if hasattr(returned, "data") and isinstance(returned.data, np.ndarray):
                self.made = Values(["", ""], [returned.data, returned], tuple)
                return (returned.data,)
            kind = type(returned).__name__
            raise LearnerRaisedError(f"{self.found.forward_name}: expected an array, got {kind}", returned)
        return (self._as_output(values),)

    def _as_array(self, returned: object) -> np.ndarray:
        if not is_list_of_numbers(returned):
            raise NotUnderstoodError(f"{self.found.forward_name} does not return a list of numbers")
        return np.array(returned)

    def _signatures(self) -> tuple[list, list[str]]:
        """Return backward's parameters, and the names of those that surely get no upstream gradient."""
        found = self.found
        backs = found.parameters(self.pulled or found.backward)
        fronts = [*(p.name for p in found.parameters(found.forward)), *self.options.extras]
        options = [name for name, value in self.locals.items() if locals_of_forward.is_option(value)]
        others = [p.name for p in backs if is_upstream(p.name) and p.name not in (*fronts, *options)]
        return backs, [*fronts, *options] if others else fronts

    def _wanted_locals(self) -> frozenset[str]:
        if self._local_names is None:
            found = self.found
            known = [*(p.name for p in found.parameters(found.forward)), *self.options.extras]
            backs = found.parameters(found.backward)
            self._local_names = locals_of_forward.wanted(found.forward, backs, known)
        return self._local_names

    def _read(self, made: Values) -> tuple[Values, Split]:
        floating = [i for i, value in enumerate(made.values) if self._is_output(value)]
        nests = self._nests(made)
        # Forward is called thousands of times, and mostly returns the same kinds of values.
        key = tuple(made.names), tuple(floating), tuple(nests)
        if key not in self._known:
            found = self._readings(made, floating, nests)
            if self.split_number >= len(found):
                raise NotUnderstoodError(f"there is no other way to read what {self.found.forward_name} returns")
            read, split = found[self.split_number]
            self._known[key] = read is not made, split
            if split.probabilities:
                self.extra_words.append(self._said_of_scores(made, split))
        is_flat, split = self._known[key]
        return made.flat(nests) if is_flat else made, split

    def _said_of_scores(self, made: Values, split: Split) -> str:
        names = [made.name(i) for i in split.probabilities]
        given = f"{next(iter(split.takers))} as the gradient of {made.name(split.outputs[0])}"
        return f"{self.found.backward_name} takes {given}, the scores from which {' and '.join(names)} is computed"

    def _readings(self, made: Values, floating: list[int], nests: list[int]) -> list[tuple[Values, Split]]:
        if self.returns_gradients:
            return [(made, Split((0,)))]
        if self.convention != "upstream":
            return [(made, Split(tuple(floating[:1]) or (0,)))]
        backward = undecorated(self.pulled or self.found.backward)
        return readings(made, floating, nests, backward, *self._signatures())

    def _as_output(self, value: object) -> np.ndarray:
        """Return an output; a loss of shape (1, 1) is a number where backward takes no upstream gradient."""
        output = np.asarray(value)
        is_loss = self.convention != "upstream" and output.size == 1 != np.size(self.inputs[0])
        return output.reshape(()) if is_loss else output

    @property
    def returns_gradients(self) -> bool:
        """Whether forward returned the gradients beside the loss."""
        return self.found.backward is None and self.pulled is None

    def chosen(self, returned: object) -> tuple:
        """Return the outputs among values like those that forward returned last."""
        if not isinstance(returned, tuple | list | dict):
            return () if returned is None else (returned,)
        values = self.made.same_places(returned) if self.made is not None else returned
        return tuple(leaf for i in self.split.outputs for leaf in leaves(values[i]))

    def beside(self) -> list[int]:
        """Return the values beside the outputs that may be outputs, too: real or complex arrays that are no inputs.

        A tuple of such arrays may be the state of a recurrent layer, if it is not called a cache.
        """
        if self.made is None or self.returns_gradients:
            return []
        made = self.made
        others = [i for i in range(len(made.values)) if i not in (*self.split.outputs, *self.split.probabilities)]
        return sorted(i for i in others if self._is_output(made.values[i], "fc") or i in self._nests(made))

    def _nests(self, made: Values) -> list[int]:
        kept = [name for name in made.names if words.CACHES.search(name) and name != "state"]
        return [i for i, value in enumerate(made.values) if is_nest(value, self.inputs) and made.names[i] not in kept]

    def _is_output(self, value: object, kinds: str = "f") -> bool:
        if any(value is one for one in self.inputs):
            return False
        return isinstance(value, np.ndarray | float | np.floating) and np.asarray(value).dtype.kind in kinds

    def prediction(self) -> np.ndarray | None:
        """Return what forward left in an attribute, of the input's shape: the output of a softmax with its loss."""
        return attributes.prediction(self.found.owner, np.shape(self.inputs[0]))

    # Backward.

    def backward(self, grads: tuple[np.ndarray, ...], rate: float = RATE) -> dict[str, np.ndarray | None]:
        """Call backward; return the arrays that it returned, by a name or a place in what it returned."""
        self.factor = np.asarray(1.0)
        passed = [self.undressed(np.array(grad)) if np.ndim(grad) else grad for grad in grads]
        self.passed = passed
        function = self.pulled or self.found.backward
        if function is None:
            return self._beside_the_loss(passed)
        arguments, uses_upstream = self._backward_arguments(function, passed, rate)
        context = (self.context,) if self.found.has_context(function) else ()
        result = function(*context, *arguments[0], **arguments[1])
        if not uses_upstream:
            self.factor = np.asarray(passed[0])
        leaves = leaves_of(result, return_names(undecorated(function)), self.numbers)
        self.leaf_names = list(leaves)
        return leaves

    def _beside_the_loss(self, passed: list) -> dict[str, np.ndarray | None]:
        rest = self.made.values[1:] if self.made is not None else []
        if not rest:
            raise NotUnderstoodError(
                f"there is no backward for {self.found.title}: name it, as in FILE.py:FORWARD,BACKWARD",
                adapters.of_functions(self.found.forward, None, self.options.file, []),
            )
        self.factor = np.asarray(passed[0])
        leaves = leaves_of(rest[0] if len(rest) == 1 else rest, return_names(self.found.forward)[1:])
        self.leaf_names = list(leaves)
        return leaves

    def _backward_arguments(self, function: Callable, grads: list, rate: float) -> tuple[tuple[list, dict], bool]:
        parameters = self.found.parameters(function)
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return (list(grads), {}), True
        upstream = self._upstream(grads)
        given, named, self.handed = backward_arguments(self, parameters, upstream, rate)
        self.given = {p.name: value for p, value in zip(parameters, given, strict=False)} | named
        return (given, named), bool(upstream)

    def _upstream(self, grads: list) -> dict[str, object]:
        """Return the arguments of backward that get upstream gradients; a scalar's is a number."""
        if self.convention != "upstream":
            return {}
        grads = [float(grad) if np.ndim(grad) == 0 else grad for grad in grads]
        grads = [grad.tolist() if np.ndim(grad) else grad for grad in grads] if self.numbers else grads
        if self.made is not None:
            grads = self.made.grouped(self.split.outputs, grads)
        if self.split.packed:
            return {self.split.packed: self.made.pack(self.split.outputs, grads)}
        return {name: grads[place] for name, place in self.split.takers.items()}


def _is_loss_last(returned: object) -> bool:
    """Return whether a function returned gradients and then the loss: ``return grads, cost``."""
    return (
        isinstance(returned, tuple)
        and len(returned) == 2
        and isinstance(returned[0], dict | list)
        and np.ndim(returned[1]) == 0
        and isinstance(returned[1], float | np.ndarray | np.floating)
    )
