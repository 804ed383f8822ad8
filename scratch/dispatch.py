"""Plain or fast: which of a layer's two forms runs.

Each layer is a pair of functions, a forward and a backward. They stand twice: plain in `scratch.nn`, to be read, and,
where that pays, fast in `scratch.kernels`, under the same names and with the same arguments. The fast pair is the
default. Plain ones run

    with scratch.plain():
        y = model(x)

and everywhere if the environment variable ``SCRATCH_PLAIN`` is 1 when scratch is imported. A backward always runs in
the mode of its forward: what a forward returned for it is the pair's own affair.
"""

import functools
import importlib
import importlib.util
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from scratch.kernels.output_mask import mask_outputs

Pair = tuple[Callable, Callable]
"""A forward function and its backward."""

_VALUES = {"": False, "0": False, "1": True}


def _from_environment() -> bool:
    value = os.environ.get("SCRATCH_PLAIN", "")
    if value not in _VALUES:
        raise ValueError(f"SCRATCH_PLAIN: expected 0 or 1, got {value!r}")
    return _VALUES[value]


_PLAIN_BY_DEFAULT = _from_environment()
_plain: ContextVar[bool] = ContextVar("plain", default=_PLAIN_BY_DEFAULT)


@contextmanager
def plain(mode: bool = True) -> Iterator[None]:
    """Run the plain functions inside of the ``with`` block, or, for ``mode=False``, the kernels."""
    token = _plain.set(mode)
    try:
        yield
    finally:
        _plain.reset(token)


def is_plain() -> bool:
    """Return whether plain functions run now."""
    return _plain.get()


def pick(functions: Pair) -> Pair:
    """Return the pair that runs now: ``functions``, which is the plain one, or its kernels, if it has both."""
    return functions if _plain.get() else kernels_of(functions)


@functools.cache
def kernels_of(functions: Pair) -> Pair:
    """Return the kernels of a plain pair; the pair itself if they are missing."""
    forward, backward = functions
    fast = kernel_of(forward), kernel_of(backward)
    return functions if fast[0] is forward or fast[1] is backward else fast


@functools.cache
def kernel_of(function: Callable) -> Callable:
    """Return the fast twin of one plain function: of the same name, in the file of the same name in `scratch.kernels`.

    The function itself, if there is none.
    """
    package, _, topic = function.__module__.rpartition(".")
    name = f"scratch.kernels.{topic}"
    if package not in ("scratch.nn", "scratch.optim") or importlib.util.find_spec(name) is None:
        return function
    return getattr(importlib.import_module(name), function.__name__, function)


@functools.cache
def passed_to_backward(functions: Pair) -> tuple[int, ...]:
    """Return which of forward's arguments behind ``x`` its backward takes, too: those whose names it repeats."""
    forward, backward = (list(inspect.signature(function).parameters) for function in functions)
    return tuple([forward[1:].index(name) for name in backward[1:-1]])


# PyTorch lets a number become infinite or NaN without a word; so does everything here.
quiet = np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore")


@quiet
def run(function: Callable, *arguments: Any) -> Any:
    """Call a forward or an update rule, without warnings about infinities and NaN."""
    return function(*arguments)


@quiet
def run_backward(function: Callable, mask: tuple[bool, ...], *arguments: Any) -> Any:
    """Call a backward likewise; ``mask`` says which of its results will be read (see `scratch.kernels.output_mask`)."""
    with mask_outputs(mask):
        return function(*arguments)
