"""The graph of one expression, as the tape and as autograd have it: part of the lesson on the graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scratch.tape import Tape, Value

GIVEN = {"x": 2.0, "w": 3.0, "b": -4.0, "t": 4.0}
CONSTANT = "t"
SIGNS = {"p": "w x", "a": "p + b", "h": "a²", "y": "a + h", "e": "y - t", "L": "e²"}


class Entry(NamedTuple):
    """A value of the expression: the operation that made it, its gradient, and what backward sends along its edges."""

    operation: str
    value: float
    grad: float
    sent: dict[str, float]


def expression(x: object, w: object, b: object, t: object) -> dict[str, object]:
    """Return every intermediate value, by name, and L."""
    p = w * x
    a = p + b
    h = a**2
    y = a + h
    e = y - t
    return {"p": p, "a": a, "h": h, "y": y, "e": e, "L": e**2}


def on_the_tape() -> tuple[Tape, dict[str, Value]]:
    """Record the expression; return the tape, and its values by name."""
    tape = Tape()
    leaves = {name: tape.watch(np.array(number)) for name, number in GIVEN.items() if name != CONSTANT}
    return tape, leaves | expression(**leaves, t=GIVEN[CONSTANT])


def by_tape() -> dict[str, Entry]:
    """Return the expression's graph as `scratch.tape` has it."""
    tape, values = on_the_tape()
    grads = tape.gradients(values["L"], 1.0)
    names = {value.node: name for name, value in values.items()}
    sent: dict[str, dict[str, float]] = {name: {} for name in values}
    for name, value in values.items():
        for one in grads.contributions(value):
            if one.user is not None:
                sent[names[one.user]][name] = float(one.grad)
    return {
        name: Entry(value.node.operation, float(value.data), float(grads[value]), sent[name])
        for name, value in values.items()
    }


def by_autograd() -> dict[str, Entry]:
    """Return the expression's graph as PyTorch has it; hooks listen to what the nodes send."""
    import torch

    leaves = {
        name: torch.tensor(number, dtype=torch.float64, requires_grad=True)
        for name, number in GIVEN.items()
        if name != CONSTANT
    }
    values = leaves | expression(**leaves, t=GIVEN[CONSTANT])
    names = {tensor.grad_fn: name for name, tensor in values.items() if tensor.grad_fn is not None}
    sent: dict[str, dict[str, float]] = {name: {} for name in values}

    def listen(name: str, node: object) -> None:
        def hook(grad_inputs: tuple, grad_outputs: tuple) -> None:
            for (operand, _), grad in zip(node.next_functions, grad_inputs, strict=True):
                if operand is not None:
                    variable = getattr(operand, "variable", None)  # a leaf's node holds the leaf
                    to = (
                        next(key for key, one in leaves.items() if one is variable)
                        if variable is not None
                        else names[operand]
                    )
                    sent[name][to] = grad.item()

        node.register_hook(hook)

    for name, tensor in values.items():
        if tensor.grad_fn is not None:
            tensor.retain_grad()
            listen(name, tensor.grad_fn)
    values["L"].backward()
    return {
        name: Entry(
            "leaf" if tensor.grad_fn is None else tensor.grad_fn.name(), tensor.item(), tensor.grad.item(), sent[name]
        )
        for name, tensor in values.items()
    }


GRAPHS = {"scratch": by_tape, "torch": by_autograd}


def sorted_edges(graph: dict[str, Entry]) -> dict[str, Entry]:
    """Return the graph with each value's edges in the order of the operands' names."""
    return {name: entry._replace(sent=dict(sorted(entry.sent.items()))) for name, entry in graph.items()}
