"""Which pairs of functions a layer calls, and with what, recorded by wrapping the plans of `scratch.dispatch`."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import scratch
from scratch import dispatch


@dataclass
class Call:
    """A call of a plain pair's forward, and of the backward that undid it.

    Attributes
    ----------
    functions : pair of functions
    arguments : tuple
        Forward's, the input first.
    grad_y : object
        Backward's upstream gradient; None until backward is called.
    grad_others : tuple
        The upstream gradients of the outputs after the first.
    grads : tuple
        What backward returned.
    """

    functions: dispatch.Pair
    arguments: tuple
    grad_y: Any = None
    grad_others: tuple = ()
    grads: tuple = ()

    @property
    def name(self) -> str:
        """The forward function's name."""
        return self.functions[0].__name__


def upstream_names(backward: Callable) -> list[str]:
    """Return the names under which a plain backward takes its upstream gradients: one for each output that has one."""
    return [name for name in inspect.signature(backward).parameters if name.startswith("grad_")]


Wrap = Callable[[dispatch.Pair, str, Callable], Callable]
"""Takes a plain pair, "forward" or "backward", and the function that runs for it; returns what is to run."""


@contextmanager
def wrapped_functions(wrap: Wrap, plain: bool) -> Iterator[None]:
    """Run plain functions, or kernels, inside of the ``with`` block, each wrapped before its first call."""

    class Wrapping(dict):
        """Plans whose functions are wrapped as they come in."""

        def __setitem__(self, functions: dispatch.Pair, plan: dispatch.Plan) -> None:
            names = {"forward": "forward", "quiet_forward": "forward"}
            names |= {"backward": "backward", "quiet_backward": "backward"}
            wrapped = {name: wrap(functions, which, getattr(plan, name)) for name, which in names.items()}
            super().__setitem__(functions, plan._replace(**wrapped))

    with mock.patch.dict(dispatch._plans, {plain: Wrapping()}), scratch.plain(plain):
        yield


@contextmanager
def recorded_calls() -> Iterator[list[Call]]:
    """Run the plain functions inside of the ``with`` block, and list the layers' calls of them, in order."""
    calls: list[Call] = []

    def listening(functions: dispatch.Pair, which: str, function: Callable) -> Callable:
        return forward(functions, function) if which == "forward" else backward(functions, function)

    def forward(functions: dispatch.Pair, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            calls.append(Call(functions, arguments))
            return function(*arguments)

        return call

    def backward(functions: dispatch.Pair, function: Callable) -> Callable:
        others = len(upstream_names(functions[1])) - 1

        @functools.wraps(function)
        def call(grad_y: Any, *arguments: Any) -> Any:
            grads = function(grad_y, *arguments)
            undone = next(one for one in reversed(calls) if one.functions == functions and one.grad_y is None)
            undone.grad_y, undone.grad_others = grad_y, arguments[:others]
            undone.grads = grads if isinstance(grads, tuple) else (grads,)
            return grads

        return call

    with wrapped_functions(listening, plain=True):
        yield calls
