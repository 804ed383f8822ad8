"""Whose gradient each statement of backward has computed, and whether it is the tape's."""

import itertools
from typing import Any

import numpy as np

from parity_tests.harness.execution import Share, Step
from scratch.tape import Contribution, Gradients, Node, Value

TOLERANCE = 1e-12
MOST_TERMS = 6  # a quantity that is used more often than this is not searched for parts


class Truth:
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


def judge(steps: list[Step], truth: Truth) -> None:
    """Write into each step of backward whose gradient it computed, and whether that is right."""
    for place, step in enumerate(steps):
        name = next((name for name in step.values if name.startswith("grad_")), None)
        if name is None:
            step.verdict = "helper"
        elif any(name in later.values for later in steps[place + 1 :]):
            step.of, step.verdict = name.removeprefix("grad_"), "room"
        else:
            step.of, step.verdict = name.removeprefix("grad_"), "differs"
            truth.search(step.of, step.values[name], step)
