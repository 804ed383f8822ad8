"""The numbers of each derivation: the trace that ``backprop trace`` shows, and the command line that asks for it."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.pages.discovery import Topic, pairs_of
from parity_tests import catalogue
from parity_tests.harness import pencil
from parity_tests.harness.trace import Trace

TRIES = 20
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)


@dataclass(frozen=True)
class Asked:
    """The arguments of one ``backprop trace``."""

    name: str
    args: str = ""
    shapes: tuple[tuple[int, ...], ...] = ()
    target: str | None = None
    evaluation: bool = False

    @property
    def command(self) -> str:
        """The command line."""
        words = ["backprop", "trace", self.name]
        words += ["--args", f'"{self.args}"'] if self.args else []
        for shape in self.shapes:
            words += ["--input", ",".join(map(str, shape))]
        words += ["--target", self.target] if self.target else []
        return " ".join([*words, *(["--eval"] if self.evaluation else [])])

    def traces(self) -> list[Trace]:
        """Return what the command shows; nothing if the layer refuses the arguments."""
        args, kwargs = literals(self.args) if self.args else (None, {})
        if pencil.optimizer_of(self.name):
            return pencil.traces_of_steps(pencil.make_optimizer(self.name, args, kwargs, (3,), 0), 0)
        try:
            layer = pencil.make(self.name, args, kwargs, 0).train(not self.evaluation)
            return pencil.traces(layer, pencil.inputs(layer, self.shapes, self.target, 0), 0)
        except REFUSALS:
            return []


@dataclass
class Example:
    """A derivation's trace, or traces one after the other, and where they come from."""

    asked: Asked
    traces: list[Trace] = field(default_factory=list)


def examples(topic: Topic) -> dict[str, Example]:
    """Return an example for each function of a file whose derivation can be traced."""
    wanted = {one.name for one in topic.derivations}
    found: dict[str, Example] = {}
    for asked in _questions(topic, wanted, found):
        traces = [one for one in asked.traces() if one.module is topic.module]
        for name in {one.name for one in traces} & wanted:
            if name not in found and all(one.agrees for one in traces):
                found[name] = Example(asked, [one for one in traces if one.name == name])
    return found


def _questions(topic: Topic, wanted: set[str], found: dict[str, Example]) -> Iterator[Asked]:
    """Yield questions while there are functions without an answer, the simplest first."""
    names = [cls.__name__ for cls in topic.classes if cls.__name__ in pencil.names()]
    missing = {name: set(pairs_of(cls)) & wanted for cls in topic.classes if (name := cls.__name__) in names}
    yield from map(Asked, names)
    for evaluation in (True, False):
        for name in names:
            if missing[name] - found.keys():
                yield from _variations(name, evaluation)


def _variations(name: str, evaluation: bool) -> Iterator[Asked]:
    if evaluation:
        yield Asked(name, evaluation=True)
        return
    shape = pencil.ARGUMENTS.get(name, pencil.NOTHING)[2]
    for target in ("values", "binary"):
        yield Asked(name, shapes=(shape, shape), target=target)
    for options in _options(name):
        yield Asked(name, options, (shape,) if name in pencil.ARGUMENTS else ())


def _options(name: str) -> Iterable[str]:
    """Return constructor arguments that the catalogue draws, as source text, each once."""
    parameters = inspect.signature(pencil.class_of(name)).parameters.values()
    found = {}
    for seed in range(TRIES):
        layer = catalogue.named(name).case("float64", seed).layer
        drawn = {one.name: getattr(layer, one.name, one.default) for one in parameters}
        changed = [one.name for one in parameters if isinstance(drawn[one.name], (bool, int, float, str))]
        text = ", ".join(f"{key}={drawn[key]!r}" for key in changed if drawn[key] != _default(parameters, key))
        if text and literals(text):
            found[text] = None
    return found


def _default(parameters: Iterable[inspect.Parameter], name: str) -> object:
    return next(one.default for one in parameters if one.name == name)


def literals(text: str) -> tuple[tuple, dict] | None:
    """Return the arguments that a text spells out; None if they are not literals."""
    try:
        found = ast.parse(f"f({text})", mode="eval").body
        return tuple(map(ast.literal_eval, found.args)), {
            one.arg: ast.literal_eval(one.value) for one in found.keywords
        }
    except (SyntaxError, ValueError, AttributeError):
        return None


def constructor(name: str) -> str:
    """Return the arguments of a class in its smallest example, as source text: "1, 2, kernel_size=2"."""
    if pencil.optimizer_of(name):
        args, kwargs = (), pencil.OPTIONS.get(name, {"lr": 0.5})
    elif name in pencil.ARGUMENTS:
        args, kwargs, _ = pencil.ARGUMENTS[name]
    else:
        args, kwargs = (), {}
        needed = [
            one
            for one in inspect.signature(pencil.class_of(name)).parameters.values()
            if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
        ]
        if needed:
            return repr(pencil.make(name, None, {}, 0)).partition("(")[2].rpartition(")")[0]
    return ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])


def inputs(name: str) -> tuple[np.ndarray, ...]:
    """Return what a layer or loss is called with in its smallest example."""
    return pencil.inputs(pencil.make(name, None, {}, 0), (), None, 0)
