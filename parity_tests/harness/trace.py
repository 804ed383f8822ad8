"""A pair of plain functions, executed statement by statement: each F with its numbers, each B beside the tape's.

    with recorded_calls() as calls:
        layer.backward(layer(x))
    found = trace(calls[0])
    found.backward[0].label, found.backward[0].verdict        "B2", "equal"

Forward runs twice, on arrays and on the tape. Then backward runs on arrays, and what it computes is compared with the
true gradients: `grad_centred` with the gradient of `centred`. A statement that computes only a part of one, a term of a
sum, is recognized by the contributions that the tape keeps apart; one that only makes room for a later statement's
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
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from parity_tests.harness.calls import Call, upstream_names
from parity_tests.harness.derivation import Derivation, derivations
from parity_tests.harness.execution import Run, Step, snapshot
from parity_tests.harness.verdicts import Truth, judge
from scratch.tape import Tape


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
    run = Run(derivation, arguments)
    steps = [step for statement in derivation.forward if (step := run.execute(statement))]
    _, saved, *_ = run.result
    upstream = dict(zip(upstream_names(backward), (call.grad_y, *call.grad_others), strict=True))

    tape, made_in = Tape(), {}
    # A parameter that is None is passed as a number.
    differentiable = [name for name in operands(derivation) if isinstance(arguments.get(name), np.ndarray)]
    watching = Run(derivation, arguments | {name: tape.watch(arguments[name]) for name in differentiable})
    for statement in derivation.forward:
        before = len(tape.nodes)
        watching.execute(statement)
        made_in |= dict.fromkeys(tape.nodes[before:], statement.label)
    y, _, *others = watching.result
    outputs = [y, *others[: len(call.grad_others)]]
    truth = Truth(tape.gradients(outputs, list(upstream.values())), watching.namespace, made_in)

    *names, last = inspect.signature(backward).parameters
    passed = {name: arguments[name] for name in names if name in arguments}
    undo = Run(derivation, {**upstream, **passed, last: saved})
    undone = [step for statement in derivation.backward if (step := undo.execute(statement))]
    judge(undone, truth)
    grads = undo.result if isinstance(undo.result, tuple) else (undo.result,)
    gradients = {name: grad for name, grad in zip(operands(derivation), grads, strict=True) if name is not None}
    _, *behind = upstream
    grad_others = {name: upstream[name] for name in behind}
    return Trace(call.name, derivation.module, arguments, steps, call.grad_y, grad_others, undone, gradients)


def trace_rule(rule: Callable, *arguments: Any, **options: Any) -> Trace:
    """Execute an optimizer's update rule statement by statement; its steps are ``forward``."""
    derivation = derivation_of(rule.__name__, rule.__module__)
    given = inspect.signature(rule).bind(*map(snapshot, arguments), **options).arguments
    run = Run(derivation, dict(given))
    steps = [step for statement in derivation.forward if (step := run.execute(statement))]
    return Trace(rule.__name__, derivation.module, dict(given), steps)


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
