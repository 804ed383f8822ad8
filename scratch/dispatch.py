"""Plain or fast: which of a layer's two forms runs.

Each layer is a pair of functions, a forward and a backward. Each pair exists twice: plain in `scratch.nn`, to be read,
and, where that pays, fast in `scratch.kernels`, with the same names and arguments. The fast pair is the default. The
plain one runs in

    with scratch.plain():
        y = model(x)

and everywhere if the environment variable ``SCRATCH_PLAIN`` is 1 when scratch is imported. A backward always runs in
the mode of its forward, since only the same pair can read what its forward saved.
"""

import functools
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from scratch.kernels.blas import one_blas_thread
from scratch.kernels.output_mask import output_mask

__all__ = ["Pair", "Plan", "is_plain", "kernel_of", "output_mask", "plain", "plan", "quiet", "quietly", "run"]

Pair = tuple[Callable, Callable]
"""A forward function and its backward."""

_VALUES = {"": False, "0": False, "1": True}


def _from_environment() -> bool:
    value = os.environ.get("SCRATCH_PLAIN", "")
    if value not in _VALUES:
        raise ValueError(f"SCRATCH_PLAIN: expected 0 or 1, got {value!r}")
    return _VALUES[value]


_PLAIN_BY_DEFAULT = _from_environment()


@contextmanager
def plain(mode: bool = True) -> Iterator[None]:
    """Run the plain functions inside the ``with`` block, or, for ``mode=False``, the kernels."""
    token = plans.set(_plans[mode])
    try:
        yield
    finally:
        plans.reset(token)


def is_plain() -> bool:
    """Return whether plain functions run now."""
    return plans.get() is _plans[True]


class Plan(NamedTuple):
    """How a pair of functions is called.

    Attributes
    ----------
    forward, backward : callable
        The plain functions or their kernels.
    quiet_forward, quiet_backward : callable
        The same, for a layer called on its own: without warnings about infinities and NaN, which PyTorch does not give
        either, and, for kernels, inside `one_blas_thread`.
    places : tuple of int
        Which of forward's arguments after ``x`` backward takes too: those of the same name.
    is_plain : bool
        Whether these are the plain functions: because they were asked for, or because there are no kernels.
    """

    forward: Callable
    backward: Callable
    quiet_forward: Callable
    quiet_backward: Callable
    places: tuple[int, ...]
    is_plain: bool


_plans: dict[bool, dict[Pair, Plan]] = {True: {}, False: {}}
plans: ContextVar[dict[Pair, Plan]] = ContextVar("plans", default=_plans[_PLAIN_BY_DEFAULT])
"""The plans made so far in the current mode."""


def plan(functions: Pair) -> Plan:
    """Return how to call a pair of plain functions in the current mode."""
    known = plans.get()
    if functions not in known:
        forward, backward = functions if is_plain() else kernels_of(functions)
        places = _shared_places(functions)
        by_itself = quiet if forward is functions[0] else _on_its_own
        known[functions] = Plan(
            forward, backward, by_itself(forward), by_itself(backward), places, forward is functions[0]
        )
    return known[functions]


def kernels_of(functions: Pair) -> Pair:
    """Return the kernels of a plain pair; the pair itself if one of them is missing."""
    forward, backward = map(kernel_of, functions)
    return functions if forward is functions[0] or backward is functions[1] else (forward, backward)


@functools.cache
def kernel_of(function: Callable) -> Callable:
    """Return the fast twin of a plain function: the one of its name in the file of the same name in `scratch.kernels`.

    If there is none, return the function itself.
    """
    package, _, topic = function.__module__.rpartition(".")
    name = f"scratch.kernels.{topic}"
    if package not in ("scratch.nn", "scratch.optim") or importlib.util.find_spec(name) is None:
        return function
    return getattr(importlib.import_module(name), function.__name__, function)


def _shared_places(functions: Pair) -> tuple[int, ...]:
    forward, backward = (list(inspect.signature(function).parameters) for function in functions)
    return tuple(
        [forward[1:].index(name) for name in backward[1:-1] if name in forward]
    )  # leaves out the gradients of other outputs


# PyTorch lets a number become infinite or NaN without a warning; so does everything here.
quiet = np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore")


def _on_its_own(kernel: Callable) -> Callable:
    """Return a kernel for a call on its own: without warnings, and without waking the BLAS's own threads."""
    silenced = quiet(kernel)

    @functools.wraps(kernel)
    def call(*arguments: Any, **options: Any) -> Any:
        with one_blas_thread:
            return silenced(*arguments, **options)

    return call


is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)
"""Whether a caller has already turned warnings off: doing so for each small layer takes longer than the layer."""


def quietly(method: Callable) -> Callable:
    """Decorate a method that calls many layers: silence warnings and keep to one BLAS thread once for all of them."""
    silenced = quiet(method)

    @functools.wraps(method)
    def call(self: Any, value: Any) -> Any:
        if is_quiet.get():
            return method(self, value)
        token = is_quiet.set(True)
        try:
            if is_plain():
                return silenced(self, value)
            with one_blas_thread:
                return silenced(self, value)
        finally:
            is_quiet.reset(token)

    return call


@quiet
def run(function: Callable, *arguments: Any) -> Any:
    """Call an update rule, or another function that is not in a pair, without warnings about infinities and NaN."""
    return function(*arguments)
