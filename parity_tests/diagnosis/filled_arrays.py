"""Functions as C has them: they return nothing, and fill arrays that they are handed.

``forward(out, x, w, n)`` becomes ``forward(x, w, n)``, which returns what it filled, and ``backward(dx, dw, dout, x, w,
n)`` becomes ``backward(dout, x, w, n)``, which returns the gradients. Each call gets new arrays of zeros.
"""

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np

from parity_tests.diagnosis.reading import names as words
from parity_tests.diagnosis.reading.called import Called
from parity_tests.diagnosis.reading.decorators import undecorated
from parity_tests.diagnosis.reading.find import Found
from parity_tests.diagnosis.reading.forward_arguments import forward_arguments
from parity_tests.diagnosis.reading.moving import nudged
from parity_tests.diagnosis.reading.options import Options
from parity_tests.diagnosis.reading.outputs import return_names
from parity_tests.diagnosis.reading.running import LearnerRaisedError, NotUnderstoodError, Stage
from parity_tests.diagnosis.request import Request
from scratch.tape import Value

Arguments = dict[str, object]


def completed(
    request: Request, found: Found, options: Options, inputs: tuple[np.ndarray, ...], stage: Stage
) -> tuple[Request, Found, tuple[np.ndarray, ...], list[str]]:
    """Return the functions as they would be with returns, and the inputs without what they fill; and what to say."""
    returned = return_names(undecorated(found.forward))
    fronts = [p.name for p in found.parameters(found.forward)]
    may_fill = found.backward is not None and not found.has_context(found.forward)
    if not may_fill or (returned and not set(returned) & set(fronts)):
        return request, found, inputs, []
    try:
        forward_arguments(found, options, list(inputs))
    except NotUnderstoodError:
        return request, found, inputs, []  # a target may be among the inputs, which only backward takes
    quiet = Stage(stage.seed, stage.dtype, shows=0)
    try:
        for tried in (inputs, *_with_indices(inputs)):
            with suppress(LearnerRaisedError):
                given = forward_arguments(found, options, list(tried)).filled
                filled = _filled(found, given, quiet)
                if not filled:
                    break
                functions = Functions(found, given, filled, quiet)
                left = [i for i, x in enumerate(tried) if not any(x is given[name] for name in filled)]
                shapes = [shape for i, shape in enumerate(request.inputs) if i in left]
                request, inputs = dataclasses.replace(request, inputs=shapes), tuple(inputs[i] for i in left)
                return request, functions.stand_in(), inputs, [functions.said]
    finally:
        found.world.restore()
    return request, found, inputs, []


def _with_indices(inputs: tuple[np.ndarray, ...]) -> Iterator[tuple[np.ndarray, ...]]:
    for place, x in enumerate(inputs):
        yield (*inputs[:place], np.zeros(x.shape, int), *inputs[place + 1 :])


def _after(function: Callable, given: Arguments, stage: Stage) -> tuple[object, Arguments]:
    """Return what a function returns, and its arguments after the call, which gets copies."""
    handed = {name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in given.items()}
    with stage(getattr(function, "__name__", "forward"), reseed=True):
        return function(**handed), handed


def _filled(found: Found, given: Arguments, stage: Stage) -> list[str]:
    """Return the arrays that forward returns its results in: what it writes does not depend on what was there."""
    function = found.forward
    returned, after = _after(function, given, stage)
    written = _changed(given, after)
    if not written or not (returned is None or any(returned is after[name] for name in written)):
        return []
    other = {name: nudged(given[name]) if name in written else value for name, value in given.items()}
    again = _after(function, other, stage)[1]
    touched = {name: (after[name] != given[name]) | (again[name] != other[name]) for name in written}
    same = all(np.array_equal(after[name][at], again[name][at], equal_nan=True) for name, at in touched.items())
    same = same and any(isinstance(given[name], np.ndarray) for name in given if name not in written)
    if not same and returned is None and found.owner is None:
        raise NotUnderstoodError(
            f"{found.forward_name} returns nothing, and what it writes to {' and '.join(written)} depends on what was "
            "there before: return a new array, or fill one without reading it"
        )
    return written if same else []


class Functions:
    """Two functions of which one fills arrays, as a pair that returns them.

    Parameters
    ----------
    found : Found
    given : dict of str to object
        Forward's arguments.
    filled : list of str
        Those that it fills.
    stage : Stage
    """

    def __init__(self, found: Found, given: Arguments, filled: list[str], stage: Stage) -> None:
        self.found, self.given, self.filled = found, given, filled
        self.fronts = [p for p in found.parameters(found.forward) if p.name not in filled]
        self.last = given
        of_inputs = [p.name for p in self.fronts if isinstance(given.get(p.name), np.ndarray)]
        backs = [p.name for p in found.parameters(found.backward) if p.name not in given]
        self.gradients = {name: of for name in backs if (of := _of(name, of_inputs))}
        self.nothing = [name for name in backs if given.get(_of(name, list(given)), name) is None]
        self.scratch: dict[str, str] = {}
        upstream = {name: of for name in backs if name not in self.gradients and (of := _of(name, filled))}
        written = self._written(upstream, stage)
        if self.gradients and not written & set(self.gradients):
            self.gradients = {}  # they are returned, and what has the name of one is handed in for another reason
        if len(written & set(upstream)) < len(upstream):
            self.scratch = {name: of for name, of in upstream.items() if name in written}
        if not self.gradients and not return_names(undecorated(found.backward)):
            raise NotUnderstoodError(
                f"{found.backward_name} returns nothing, and it is not clear which of {', '.join(backs)} it fills: "
                f"name such an array as the gradient of an argument of {found.forward_name}, d{of_inputs[0]}"
            )
        handed = (*self.gradients, *self.scratch, *self.nothing)
        self.backs = [p for p in found.parameters(found.backward) if p.name not in handed]

    @property
    def said(self) -> str:
        """What to say of it."""
        said = f"{self.found.forward_name} fills {', '.join(self.filled)}"
        gradients = f" and {self.found.backward_name} {', '.join(self.gradients)}" * bool(self.gradients)
        return f"{said}{gradients}: zeros before each call"

    def stand_in(self) -> Found:
        """Return the pair."""
        read = copy.copy(self.found)
        read.forward = Called(self._forward, self.found.forward).taking(self.fronts)
        read.backward = Called(self._backward, self.found.backward).taking(self.backs)
        return read

    def _forward(self, *values: object, **named: object) -> object:
        self.last = _by_name(self.fronts, values, named)
        made: Arguments = {name: np.zeros_like(self.given[name]) for name in self.filled}
        on_tape = next((value for value in self.last.values() if isinstance(value, Value)), None)
        if on_tape is not None:
            made = {name: on_tape.node.tape.watch(array) for name, array in made.items()}
        self.found.forward(**self.last, **made)
        # What has a gradient of its own within backward, and is not handed to it, is a step on the way to the output.
        taken = {p.name for p in self.found.parameters(self.found.backward)}
        returned = {name: array for name, array in made.items() if name in taken or name not in self.scratch.values()}
        return next(iter(returned.values())) if len(returned) == 1 and not taken & set(returned) else returned

    def _backward(self, *values: object, **named: object) -> object:
        dtype = self.given[self.filled[0]].dtype
        made = {name: np.zeros(np.shape(self.last[of]), dtype) for name, of in self.gradients.items()}
        inner = {name: np.zeros_like(self.given[of]) for name, of in self.scratch.items()}
        given = _by_name(self.backs, values, named) | dict.fromkeys(self.nothing)
        returned = self.found.backward(**given, **made, **inner)
        return made or returned

    def _written(self, upstream: dict[str, str], stage: Stage) -> set[str]:
        """Return the arguments of backward that it writes to; where it raises, those that have the names of them."""
        made = {**self.given, **_after(self.found.forward, self.given, stage)[1]}
        given = {name: np.zeros(np.shape(made[of])) for name, of in self.gradients.items()}
        given |= {name: nudged(np.zeros(np.shape(made[of]))) for name, of in upstream.items()}
        names = [p.name for p in self.found.parameters(self.found.backward)]
        given |= {name: made[name] for name in names if name in made} | dict.fromkeys(self.nothing)
        try:
            _, after = _after(self.found.backward, given, stage)
        except LearnerRaisedError:
            return set(self.gradients)
        return set(_changed(given, after))


def _changed(before: Arguments, after: Arguments) -> list[str]:
    arrays = {name: values for name, values in before.items() if isinstance(values, np.ndarray)}
    return [name for name, values in arrays.items() if not np.array_equal(after[name], values, equal_nan=True)]


def _of(gradient: str, names: list[str]) -> str:
    """Return which of the arrays a name means the gradient of, "" for none."""
    rests = words.undressed(gradient)
    return next((name for name in names if any(words.alike(rest, name) for rest in rests)), "")


def _by_name(parameters: list[inspect.Parameter], values: tuple, named: dict[str, object]) -> Arguments:
    return dict(zip([p.name for p in parameters], values, strict=False)) | named
