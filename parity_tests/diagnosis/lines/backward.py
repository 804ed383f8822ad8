"""Backward line by line: every array that a line computes."""

import contextlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from parity_tests.diagnosis.lines.layers import Layers
from parity_tests.diagnosis.reading.running import is_theirs
from scratch.tape import Node, NotFollowedError

MOST_ARRAYS = 4000
ARGUMENT = "argument "
RETURNED = "the returned grads"
COMPREHENSIONS = ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>")


class TooLongError(NotFollowedError):
    """A loop computes so many arrays that it would take minutes to look at each."""


def refuse_many(count: int, function: types.CodeType) -> None:
    """Raise if a function has computed too many arrays."""
    if count > MOST_ARRAYS:
        raise TooLongError(
            f"{function.co_name} computes more than {MOST_ARRAYS:,} arrays, too many to look at each; a smaller input "
            "(--input) needs fewer"
        )


@dataclass(eq=False)
class Computed:
    """An array that a line of backward computed, that backward returned, as "return 0", or that it handed on.

    Attributes
    ----------
    line, name, values, function : int, str, numpy.ndarray, code
    scope : dict
        What the line could use.
    follows : bool
        Whether it is meant as a gradient. This and what follows is found out later (`recognize`).
    bare : bool
        Whether it may be a loss's gradient that is not yet multiplied by the upstream gradient.
    words : str
        What it is: a true gradient, or a part or a multiple of one; "" if it is none.
    whole : bool
        Whether it is a whole gradient.
    node : Node or None
        The value of whose gradient it is, or is a part.
    caller : (code, int) or None
        The function and its line to which it was returned.
    taker : object
        The object to whose method it was handed.
    """

    line: int
    name: str
    values: np.ndarray
    function: types.CodeType
    scope: dict = field(default_factory=dict)
    follows: bool = True
    bare: bool = False
    words: str = ""
    whole: bool = False
    node: Node | None = None
    caller: tuple[types.CodeType, int] | None = None
    taker: object = None

    @property
    def number(self) -> int | None:
        """The place among what is returned, None for what is not returned."""
        return int(self.name.removeprefix("return ")) if self.name.startswith("return ") else None

    def is_in(self, values: np.ndarray) -> bool:
        """Return whether an array is this one."""
        return self.values.shape == values.shape and np.array_equal(self.values, values)

    @property
    def is_argument(self) -> bool:
        """Whether it is what a line handed to a function, which may have no other name there."""
        return self.name.startswith(ARGUMENT)

    @property
    def variable(self) -> str:
        """What the lines that use it call it."""
        return self.name.removeprefix(ARGUMENT).partition(" of ")[0] if self.is_argument else self.name

    def is_argument_of(self, function: types.CodeType) -> bool:
        """Return whether it was handed to a function."""
        return self.is_argument and self.name.endswith(f" of {function.co_name}")

    @property
    def is_returned(self) -> bool:
        """Whether it was returned."""
        return self.number is not None


@dataclass
class Backward:
    """A backward that ran line by line.

    Attributes
    ----------
    code : code
        Of the function itself; others may have been called.
    name : str
        What it is called.
    runs : pair of lists of Computed
        What its lines computed, with two upstream gradients; the first is that of forward's true gradients.
    returned : dict of int to Node
        The value whose gradient each of the returned arrays is meant to be.
    steps : dict of str to (Node, float)
        The parameters with which it takes a step itself: each one's value, and the learning rate.
    takes_upstream : bool
        Whether it gets the upstream gradient.
    owners : dict of int to str
        The path to each object that holds parameters, by its identity in the first run.
    layers : Layers
        The objects that forward called before the first run.
    owner : object
        The layer itself.
    stored : dict of str to Node
        The value whose gradient the layer keeps under a name that tells nothing, such as ``self.grads[0]``.
    """

    code: types.CodeType
    name: str
    runs: tuple[list[Computed], list[Computed]]
    returned: dict[int, Node]
    steps: dict[str, tuple[Node, float]] = field(default_factory=dict)
    takes_upstream: bool = True
    owners: dict[int, str] = field(default_factory=dict)
    layers: Layers = field(default_factory=Layers)
    owner: object = None
    stored: dict[str, Node] = field(default_factory=dict)


def varied(grad: np.ndarray) -> np.ndarray:
    """Return an upstream gradient for the second run: the elements of the first, each times another number."""
    return grad * np.linspace(0.5, 1.7, max(1, grad.size)).reshape(grad.shape)


@contextlib.contextmanager
def tracing(watch: Callable[[types.FrameType, str, object], None]) -> Iterator[None]:
    """Call ``watch`` with every event of each function of the learner's that is called."""

    def trace(frame: types.FrameType, event: str, argument: object) -> Callable | None:
        if not is_theirs(frame.f_code.co_filename):
            return None
        watch(frame, event, argument)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def recorded(run: Callable[[], object], followed: Callable[[types.FrameType], bool]) -> list[Computed]:
    """Run a backward, and return what its lines computed; ``followed`` says whose frames are looked at."""
    recorder = _Recorder(followed)
    with tracing(recorder):
        run()
    return recorder.computed


class _Recorder:
    def __init__(self, followed: Callable[[types.FrameType], bool]) -> None:
        self.followed = followed
        self.computed: list[Computed] = []
        self.last: dict[int, tuple[int, dict]] = {}

    def __call__(self, frame: types.FrameType, event: str, argument: object) -> None:
        if not self.followed(frame):
            return
        refuse_many(len(self.computed), frame.f_code)
        key = id(frame)
        arrays = _arrays(frame)
        if event == "call":
            self._record_arguments(frame)
            self.last[key] = (frame.f_lineno, {n: np.array(v) for n, v in arrays.items()})
            return
        line, before = self.last.get(key, (frame.f_lineno, {}))
        for name, values in arrays.items():
            old = before.get(name)
            values = np.asarray(values)
            changed = old is None or old.shape != values.shape or not np.array_equal(old, values, equal_nan=True)
            if changed and values.dtype.kind == "f":
                self.computed.append(Computed(line, name, np.array(values), frame.f_code, _scope(frame)))
        if event == "return":
            parts = argument if isinstance(argument, tuple | list) else (argument,)
            caller = (frame.f_back.f_code, frame.f_back.f_lineno) if frame.f_back else None
            found = [(f"return {number}", part) for number, part in enumerate(parts)]
            for name, part in [*found, *_returned_items(parts, frame).items()]:
                if isinstance(part, np.ndarray | np.floating) and np.asarray(part).dtype.kind == "f":
                    values = np.array(part)
                    self.computed.append(
                        Computed(frame.f_lineno, name, values, frame.f_code, _scope(frame), caller=caller)
                    )
        self.last[key] = (frame.f_lineno, {n: np.array(v) for n, v in arrays.items()})

    def _record_arguments(self, frame: types.FrameType) -> None:
        caller, code = frame.f_back, frame.f_code
        while caller is not None and caller.f_code.co_name in COMPREHENSIONS:
            caller = caller.f_back
        if caller is None or not self.followed(caller) or code.co_name in COMPREHENSIONS:
            return
        for name in code.co_varnames[: code.co_argcount]:
            values = frame.f_locals.get(name)
            if isinstance(values, np.ndarray) and values.dtype.kind == "f":
                said = f"{ARGUMENT}{name} of {code.co_name}"
                taker = frame.f_locals.get("self")
                self.computed.append(
                    Computed(caller.f_lineno, said, np.array(values), caller.f_code, _scope(caller), taker=taker)
                )


def _arrays(frame: types.FrameType) -> dict[str, np.ndarray]:
    found = {n: v for n, v in frame.f_locals.items() if isinstance(v, np.ndarray | np.floating)}
    for name, value in frame.f_locals.items():
        if isinstance(value, dict):
            found |= _items(name, value)
    owner = frame.f_locals.get("self")
    if owner is not None:
        for name, value in getattr(owner, "__dict__", {}).items():
            if isinstance(value, np.ndarray | np.floating):
                found[f"self.{name}"] = value
            elif isinstance(value, dict | list):
                found |= _items(f"self.{name}", value)
            else:
                for attribute in ("grad", "gradient"):
                    if isinstance(getattr(value, attribute, None), np.ndarray):
                        found[f"self.{name}.{attribute}"] = getattr(value, attribute)
    return found


def _returned_items(parts: tuple | list, frame: types.FrameType) -> dict[str, np.ndarray]:
    """Return the arrays in dictionaries that have no name of their own, such as ``return {"W": dW}``."""
    held = [*frame.f_locals.values(), *getattr(frame.f_locals.get("self"), "__dict__", {}).values()]
    nameless = [part for part in parts if isinstance(part, dict) and not any(part is one for one in held)]
    return {name: values for part in nameless for name, values in _items(RETURNED, part).items()}


def _items(name: str, held: dict | list) -> dict[str, np.ndarray]:
    pairs = held.items() if isinstance(held, dict) else enumerate(held)
    return {f"{name}[{key!r}]": value for key, value in pairs if isinstance(value, np.ndarray)}


def _scope(frame: types.FrameType) -> dict:
    held = {n: np.array(v) if isinstance(v, np.ndarray) else v for n, v in frame.f_locals.items()}
    return {**frame.f_globals, **held}
