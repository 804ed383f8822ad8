"""A pair of plain functions, executed statement by statement: each F with its numbers, each B beside the tape's.

    with recorded_calls() as calls:
        layer.backward(layer(x))
    found = trace(calls[0])
    found.backward[0].label, found.backward[0].verdict        "B2", "equal"

Forward runs twice, on arrays and on the tape. Then backward runs on arrays, and what it computes is compared with the
true gradients: `grad_centred` with the gradient of `centred`. A statement that computes only a part of one, a term of a
sum, is recognised by the contributions that the tape keeps apart; one that only makes room for a later statement's
numbers is reported as that.

As JSON (`Trace.as_json`), from which the pages are made:

    name, module        the forward function and its module: "linear", "scratch.nn.linear"
    arguments           by name: what forward was called with
    forward             a list of steps:
        label           "F1"
        equation        the docstring's, "grad_bias = sum_n grad_y"
        remark          what follows the shape there: "F2: a broadcast becomes a sum"
        shape           the comment's: "(N, O)"
        statement, line the code, and its line in the module's file
        values          by name: what the statement computed
    grad_y              the upstream gradient
    grad_others         by name: those of the outputs after the first, "grad_h_n"
    backward            a list of steps, which also have:
        of              the quantity whose gradient this is: "centred"; "np.minimum in F2" where it has no name
        tape            that gradient, as the tape found it; null for "room"
        verdict         "equal"; "part": equal to some of the contributions; "room": to be filled by a later statement;
                        "constant": the quantity is a number here, such as that of a parameter that is None;
                        "helper": no gradient; "differs"
        contributions   a list of what each use of the quantity adds to its gradient, by the tape:
            through     the label of the statement that uses it; "output" for the upstream gradient
            operation   NumPy's name of what is done there: "divide"
            gradient    its share; where the verdict is "part", ``counted`` says whether it is in the statement's part
    gradients           by the operand's name, "x", "weight": what backward returned

An update rule has the steps U1, U2, ... under ``forward``, and no backward.

An array is an object with ``shape``, ``dtype`` and ``numbers``, nested lists; infinities and NaN are strings, "inf",
"-inf", "nan".
"""

import ast
import inspect
import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from parity_tests.harness.calls import Call, upstream_names
from parity_tests.harness.derivation import Derivation, Statement, derivations
from scratch.tape import Contribution, Gradients, Node, Tape, Value

TOLERANCE = 1e-12
MOST_TERMS = 6  # a quantity that is used more often than this is not searched for parts


@dataclass
class Share:
    """What one use of a quantity adds to its gradient; see the module's docstring."""

    through: str
    operation: str
    gradient: np.ndarray
    counted: bool = True


@dataclass
class Step:
    """A statement, executed; see the module's docstring."""

    label: str
    equation: str
    remark: str
    shape: str | None
    statement: str
    line: int
    values: dict[str, Any]
    of: str | None = None
    tape: np.ndarray | None = None
    verdict: str | None = None
    contributions: list[Share] = field(default_factory=list)


@dataclass
class Trace:
    """A pair of functions, or an update rule, executed; see the module's docstring."""

    name: str
    module: ModuleType
    arguments: dict[str, Any]
    forward: list[Step]
    grad_y: Any = None
    grad_others: dict[str, Any] = field(default_factory=dict)
    backward: list[Step] = field(default_factory=list)
    gradients: dict[str, Any] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether each statement of backward is right, and what is returned is whole."""
        wrong = [step for step in self.backward if step.verdict == "differs"]
        return not wrong and all(step.verdict != "part" for step in self.backward if step.of in self.gradients)

    def as_json(self) -> dict:
        """Return what `json.dumps` takes."""
        return {
            "name": self.name,
            "module": self.module.__name__,
            "arguments": as_json(self.arguments),
            "forward": [_step_as_json(step, ("of", "tape", "verdict", "contributions")) for step in self.forward],
            "grad_y": as_json(self.grad_y),
            "grad_others": as_json(self.grad_others),
            "backward": [_step_as_json(step, ()) for step in self.backward],
            "gradients": as_json(self.gradients),
        }


def derivation_of(name: str, module: ModuleType | str) -> Derivation:
    """Return the derivation of a pair, or of an update rule."""
    return next(one for one in derivations(module) if one.name == name)


def operands(derivation: Derivation) -> list[str | None]:
    """Return the arguments of forward whose gradients backward returns, in its order: "x", "weight", "bias".

    None for an argument that has no gradient: backward returns None for it.
    """
    value = derivation.backward[-1].node.value
    returned = value.elts if isinstance(value, ast.Tuple) else [value]
    names = [one.id.removeprefix("grad_") if isinstance(one, ast.Name) else None for one in returned]
    first = next(iter(inspect.signature(getattr(derivation.module, derivation.name)).parameters))
    return [first if name == "y" else name for name in names]  # a pair that does nothing returns grad_y


def trace(call: Call) -> Trace:
    """Execute a pair statement by statement, on the arguments and with the upstream gradient of a call."""
    forward, backward = call.functions
    derivation = derivation_of(call.name, forward.__module__)
    arguments = dict(zip(inspect.signature(forward).parameters, call.arguments, strict=True))
    run = _Run(derivation, arguments)
    steps = [step for statement in derivation.forward if (step := run.execute(statement))]
    _, saved, *_ = run.result
    upstream = dict(zip(upstream_names(backward), (call.grad_y, *call.grad_others), strict=True))

    tape, made_in = Tape(), {}
    # A parameter that is None is passed as a number.
    differentiable = [name for name in operands(derivation) if isinstance(arguments.get(name), np.ndarray)]
    watching = _Run(derivation, arguments | {name: tape.watch(arguments[name]) for name in differentiable})
    for statement in derivation.forward:
        before = len(tape.nodes)
        watching.execute(statement)
        made_in |= dict.fromkeys(tape.nodes[before:], statement.label)
    y, _, *others = watching.result
    outputs = [y, *others[: len(call.grad_others)]]
    truth = _Truth(tape.gradients(outputs, list(upstream.values())), watching.namespace, made_in)

    *names, last = inspect.signature(backward).parameters
    passed = {name: arguments[name] for name in names if name in arguments}
    undo = _Run(derivation, {**upstream, **passed, last: saved})
    undone = [step for statement in derivation.backward if (step := undo.execute(statement))]
    _judge(undone, truth)
    grads = undo.result if isinstance(undo.result, tuple) else (undo.result,)
    gradients = {name: grad for name, grad in zip(operands(derivation), grads, strict=True) if name is not None}
    _, *behind = upstream
    grad_others = {name: upstream[name] for name in behind}
    return Trace(call.name, derivation.module, arguments, steps, call.grad_y, grad_others, undone, gradients)


def trace_rule(rule: Callable, *arguments: Any, **options: Any) -> Trace:
    """Execute an optimizer's update rule statement by statement; its steps are ``forward``."""
    derivation = derivation_of(rule.__name__, rule.__module__)
    given = inspect.signature(rule).bind(*map(_snapshot, arguments), **options).arguments
    run = _Run(derivation, dict(given))
    steps = [step for statement in derivation.forward if (step := run.execute(statement))]
    return Trace(rule.__name__, derivation.module, dict(given), steps)


def _first(pattern: str, lines: list[str]) -> re.Match | None:
    return next((match for line in lines if (match := re.search(pattern, line))), None)


def in_columns(text: str, docstring: str, shape: str | None) -> tuple[str, str]:
    """Return an equation without its shape, and the remark after it: the columns left and right of the shape."""
    first, *more = text.split("\n")
    indent = next(len(line) - len(first) for line in docstring.splitlines() if line.endswith(first))
    lines = [" " * indent + first, *more]
    found = _first(f" {re.escape(str(shape))}( |$)", lines) or _first(r"(?<=\S) {3,}(?=\S)", lines)
    if found is None:
        return " ".join(text.split()), ""
    equation, remark = [], []
    for line in lines:
        if line == found.string:
            said = line[: found.start()].rstrip()
            equation.append(line[: found.end()] if said.endswith(" as") else said)  # "as (N, O)" says what it becomes
            remark.append(line[found.end() :])
            continue
        for part in re.finditer(r"\S+(?: \S+)*", line):
            (equation if part.start() < found.start() else remark).append(part.group())
    return " ".join(" ".join(equation).split()), " ".join(" ".join(remark).split())


class _Run:
    """The statements of a function, executed one after the other in one namespace."""

    def __init__(self, derivation: Derivation, arguments: dict[str, Any]) -> None:
        self.derivation, self.result = derivation, None
        self.namespace = {**vars(derivation.module), **arguments}
        self._seen = {name: _snapshot(value) for name, value in self.namespace.items()}

    @np.errstate(all="ignore")
    def execute(self, statement: Statement) -> Step | None:
        """Execute a statement; return the step if it has a label. A ``return`` sets `result`."""
        node = statement.node
        if isinstance(node, ast.Return):
            code = compile(ast.Expression(node.value), self.derivation.module.__file__, "eval")
            self.result = eval(code, self.namespace)
            return None
        exec(compile(ast.Module([node], []), self.derivation.module.__file__, "exec"), self.namespace)
        changed = {name: value for name, value in self.namespace.items() if self._is_new(name, value)}
        self._seen |= {name: _snapshot(value) for name, value in changed.items()}
        if statement.label is None:
            return None
        names = [name for name in changed if name not in _helpers(node)]
        shown = dict.fromkeys([*names, *_written_to(node)])
        # A later statement may append to a list, too, which `_seen` does not notice: the object is the same.
        values = {name: list(one) if type(one := self.namespace[name]) is list else _snapshot(one) for name in shown}
        text = self.derivation.equation(statement.label).text
        equation, remark = in_columns(text, self.derivation.module.__doc__, statement.shape)
        return Step(statement.label, equation, remark, statement.shape, statement.source, statement.line, values)

    def _is_new(self, name: str, value: Any) -> bool:
        if name == "__builtins__":
            return False
        old = self._seen.get(name, self)
        if isinstance(value, np.ndarray) and isinstance(old, np.ndarray):
            return value.dtype != old.dtype or not np.array_equal(value, old, equal_nan=value.dtype.kind == "f")
        return old is not value


def _snapshot(value: Any) -> Any:
    # A later statement may write into the array.
    return value.copy() if isinstance(value, np.ndarray) else value


def _helpers(node: ast.stmt) -> set[str]:
    """Return the names that a loop uses for itself: its variables, and those that are bound in its body."""
    if not isinstance(node, ast.For):
        return set()
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _written_to(node: ast.stmt) -> list[str]:
    """Return the names of the arrays that a loop writes into, by an index or by np.add.at."""
    stored = [one.value for one in ast.walk(node) if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store)]
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]
    stored += [one.args[0] for one in calls if one.func.attr == "at"]
    roots = [next(part for part in ast.walk(one) if isinstance(part, ast.Name)) for one in stored]
    return [one.id for one in roots]


class _Truth:
    """The tape's gradients, by the names in forward."""

    def __init__(self, grads: Gradients, namespace: dict[str, Any], made_in: dict[Node, str]) -> None:
        self.grads, self.made_in = grads, made_in
        self.named = {name: value.node for name, value in namespace.items() if isinstance(value, Value)}
        self.constants = namespace.keys() - self.named.keys()
        # A sum may cancel, so its size does not say how large its terms were.
        terms = [np.abs(one.grad) for node in made_in for one in grads.contributions(node)]
        self.scale = max((term[np.isfinite(term)].max(initial=0) for term in terms), default=0)

    def search(self, name: str, value: np.ndarray, step: Step) -> None:
        """Find whose gradient a value of backward is, whole or in part, and write it into the step."""
        if name in self.constants:
            step.verdict = "constant"
            return
        if name in self.named and self._note(step, name, self.named[name], value):
            return
        # It is not the gradient of what its name says. Is it that of a value without a name in forward?
        for other, label in self.made_in.items():
            if other not in self.named.values() and self._is(value, self.grads[other]):
                self._note(step, f"np.{other.operation} in {label}", other, value)
                return

    def _note(self, step: Step, name: str, node: Node, value: np.ndarray) -> bool:
        found = self.grads.contributions(node)
        step.of, step.tape, step.verdict = name, self.grads[node], "differs"
        counted = next((c for c in _choices(len(found)) if self._is(value, self._sum(found, c, node))), None)
        if counted is not None:
            step.verdict = "equal" if len(counted) == len(found) else "part"
        step.contributions = [
            Share(*self._use(one), one.grad, counted is None or k in counted) for k, one in enumerate(found)
        ]
        return counted is not None

    def _use(self, one: Contribution) -> tuple[str, str]:
        return ("output", "upstream gradient") if one.user is None else (self.made_in[one.user], one.user.operation)

    def _sum(self, found: list[Contribution], counted: tuple[int, ...], node: Node) -> np.ndarray:
        return sum((found[k].grad for k in counted), np.zeros_like(node.data))

    def _is(self, value: Any, gradient: np.ndarray) -> bool:
        # A gradient that is the same for all elements may be left unbroadcast.
        try:
            value = np.broadcast_to(value, gradient.shape)
        except ValueError:
            return False
        return np.allclose(value, gradient, rtol=TOLERANCE, atol=TOLERANCE * self.scale, equal_nan=True)


def _choices(count: int) -> list[tuple[int, ...]]:
    """Return the subsets of the contributions, the largest first."""
    sizes = range(count, 0, -1) if count <= MOST_TERMS else [count]
    return [choice for size in sizes for choice in itertools.combinations(range(count), size)] or [()]


def _judge(steps: list[Step], truth: _Truth) -> None:
    for place, step in enumerate(steps):
        name = next((name for name in step.values if name.startswith("grad_")), None)
        if name is None:
            step.verdict = "helper"
        elif any(name in later.values for later in steps[place + 1 :]):
            step.of, step.verdict = name.removeprefix("grad_"), "room"
        else:
            step.of, step.verdict = name.removeprefix("grad_"), "differs"
            truth.search(step.of, step.values[name], step)


def as_json(value: Any) -> Any:
    """Return arrays, numbers and what contains them in a form that `json.dumps` takes; see the module's docstring."""
    if isinstance(value, dict):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return {"shape": list(value.shape), "dtype": str(value.dtype), "numbers": as_json(value.tolist())}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, str, bool)) or value is None else repr(value)


def _step_as_json(step: Step, without: tuple[str, ...]) -> dict:
    found = {key: as_json(value) for key, value in vars(step).items() if key not in without}
    if "contributions" in found:
        found["contributions"] = [
            {key: as_json(value) for key, value in vars(one).items()} for one in step.contributions
        ]
    return found
