"""Which pairs of functions a layer calls, with what: heard at `scratch.dispatch.plan`, through which all of them go."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import scratch
from scratch import dispatch


@dataclass
class Call:
    """A forward of a plain pair, and the backward that undid it.

    Attributes
    ----------
    functions : pair of functions
    arguments : tuple
        Forward's, the input first.
    grad_y : object
        Backward's upstream gradient; None until it was called.
    grads : tuple
        What backward returned.
    """

    functions: dispatch.Pair
    arguments: tuple
    grad_y: Any = None
    grads: tuple = ()

    @property
    def name(self) -> str:
        """The forward function's name."""
        return self.functions[0].__name__


@contextmanager
def recorded_calls() -> Iterator[list[Call]]:
    """Run the plain functions inside of the ``with`` block, and list the layers' calls of them, in their order."""
    calls: list[Call] = []
    plan = dispatch.plan

    def listening(functions: dispatch.Pair) -> dispatch.Plan:
        with scratch.plain():
            known = plan(functions)
        heard = {name: forward(functions, getattr(known, name)) for name in ("forward", "quiet_forward")}
        heard |= {name: backward(functions, getattr(known, name)) for name in ("backward", "quiet_backward")}
        return known._replace(**heard)

    def forward(functions: dispatch.Pair, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            calls.append(Call(functions, arguments))
            return function(*arguments)

        return call

    def backward(functions: dispatch.Pair, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(grad_y: Any, *arguments: Any) -> Any:
            grads = function(grad_y, *arguments)
            undone = next(one for one in reversed(calls) if one.functions == functions and one.grad_y is None)
            undone.grad_y, undone.grads = grad_y, grads if isinstance(grads, tuple) else (grads,)
            return grads

        return call

    # Layers remember a pair's plan, and ask for it once only: here they never know one.
    token = dispatch.plans.set(_Unknown())
    try:
        with mock.patch.object(dispatch, "plan", listening):
            yield calls
    finally:
        dispatch.plans.reset(token)


class _Unknown(dict):
    def get(self, key: Any, default: Any = None) -> None:
        """Return nothing, whatever has been found before."""
