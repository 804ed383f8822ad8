"""What NumPy reads, writes and multiplies while functions run: they are given arrays that count.

    with counting(), noted() as moves:
        result = bare(function(*counted(arguments)))
    moves[0]        Move(name='multiply', read=512, written=256, products=0, ...)

Each call of NumPy counts as one pass: every operand is read once, every result written once, whatever stays in a cache
meanwhile. A view costs nothing; a broadcast operand costs what it takes in memory; overlapping windows cost the pixels
under them. A matrix product of (N, K) and (K, M) is N K M multiply-adds.

An array of the class `Counting` passes each call on to NumPy with plain arrays, notes it, and makes the result one of
its own class, so that what is computed from it is noted too. Functions also create arrays (``np.zeros``, buffers from
`scratch.kernels.memory`): while counting, those are of the class as well.

Within `timing_alone` each call is also timed by itself.
"""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np
from numpy.lib.array_utils import byte_bounds

from scratch.kernels import memory, threads
from scratch.kernels.blas import one_blas_thread

ROOM = {"empty", "empty_like"}  # nothing is read or written
FILLED = {"zeros", "zeros_like", "ones", "ones_like", "full", "full_like"}  # nothing is read
NO_PASS = {"shape", "ndim", "size", "may_share_memory", "shares_memory", "result_type", "can_cast"}
CONVERTING = {"array", "asarray", "ascontiguousarray"}  # a copy, or the operand itself; of no class of ours
MADE = {*ROOM, *FILLED, *CONVERTING, "arange", "eye"}
VIEWS = {"as_strided", "sliding_window_view"}  # they return plain arrays
METHODS = ("astype", "copy", "flatten", "ravel", "reshape", "repeat", "argmax", "argmin", "take", "__getitem__")
CHOOSING = ("take", "__getitem__")  # they read no more than they return
PACKAGES = ("scratch.kernels.", "scratch.nn.", "scratch.optim.")


@dataclass(frozen=True)
class Move:
    """A call of NumPy: its name, the bytes that it reads and writes, and its multiply-adds if it is a product.

    ``largest`` is the bytes of its largest operand, or of its result. ``seconds`` is the call's time by itself, divided
    by the number of threads that share such calls; it is 0 outside `timing_alone`.
    """

    name: str
    read: int = 0
    written: int = 0
    products: int = 0
    largest: int = 0
    seconds: float = 0.0

    @property
    def bytes(self) -> int:
        """The bytes that it moves."""
        return self.read + self.written


REPEATS = 5  # of a call that is timed by itself

_moves: list[Move] | None = None  # of all threads, because a kernel computes on several
_sharing = 0  # the threads among which calls are shared out; 0 while calls are not timed


class Counting(np.ndarray):
    """An array whose passes through memory are noted."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Compute on plain arrays, and note what was read and written."""
        out = options.pop("out", None)
        plain = {"out": bare(out)} if out is not None else {}
        plain |= {key: bare(value) for key, value in options.items()}
        operands = bare(inputs)
        changed = operands[:1] if method == "at" else plain.get("out", ())
        result, seconds = _performed(partial(getattr(ufunc, method), *operands, **plain), changed)
        products = 0
        if ufunc in (np.matmul, np.vecdot):
            products = np.size(result) * inputs[0].shape[-1]
        note(ufunc.__name__, inputs, result, products, seconds)
        if out is not None:
            return out[0] if len(out) == 1 else out
        return counted(result)

    def __array_function__(self, function: Callable, types: tuple, arguments: tuple, options: dict) -> Any:
        """Compute on plain arrays, and note what was read and written, if the result is not a view."""
        plain, plain_options = bare(arguments), bare(options)
        out = plain_options.pop("out", None)
        writing = {} if out is None else {"out": out}
        result, seconds = _performed(partial(function, *plain, **plain_options, **writing), arrays_in(out))
        name = function.__name__
        if name in FILLED:
            note(name, (), result, seconds=seconds)
        elif name == "copyto":
            note(name, arguments[1:], arguments[0], seconds=seconds)
        elif name not in ROOM | NO_PASS and (out is not None or not is_view(result, (plain, plain_options))):
            read = (result,) if name in CHOOSING else (plain, plain_options)
            note(name, read, result, seconds=seconds)
        return counted(result) if out is None else options["out"]

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write through a view, and note it."""
        target, index, value = bare(self), bare(index), bare(value)
        _, seconds = _performed(partial(target.__setitem__, index, value))
        written = target[index]
        if not (isinstance(value, np.ndarray) and _place(value) == _place(written)):  # the end of an ``a[i] += b``
            note("copy", (value,), written, seconds=seconds)


def _noting(name: str) -> Callable:
    def method(self: Counting, *arguments: Any, **options: Any) -> Any:
        plain = bare(self)
        result, seconds = _performed(partial(getattr(plain, name), *bare(arguments), **bare(options)))
        if not is_view(result, plain):
            read = (result if name in CHOOSING else self,)
            note(name if name.startswith("arg") else "copy", read, result, seconds=seconds)
        return counted(result)

    return method


for _name in METHODS:
    setattr(Counting, _name, _noting(_name))


def _performed(call: Callable[[], Any], changed: Sequence[np.ndarray] = ()) -> tuple[Any, float]:
    """Make a call of NumPy; return its result and, within `timing_alone`, its seconds.

    Parameters
    ----------
    call : callable
    changed : sequence of numpy.ndarray
        What the call writes to, and perhaps reads first. It is restored before the call is repeated.
    """
    if not _sharing:
        return call(), 0.0
    before, least = [np.copy(array) for array in changed], math.inf
    for _ in range(REPEATS):
        for array, old in zip(changed, before, strict=True):
            np.copyto(array, old)
        begin = perf_counter()
        result = call()
        least = min(least, perf_counter() - begin)
    return result, least / _sharing


def moves() -> list[Move]:
    """Return what `noted` has listed so far."""
    return _moves or []


def note(name: str, read: Any, written: Any, products: int = 0, seconds: float = 0.0) -> None:
    """Note a call that read and wrote these arrays; anything that is not an array costs nothing."""
    if _moves is not None:
        largest = max(map(size_of, arrays_in((read, written))), default=0)
        _moves.append(Move(name, size_of(read), size_of(written), products, largest, seconds))


def counted(value: Any) -> Any:
    """Return arrays, and those in tuples and lists, as views that count; anything else as it is."""
    return _each(value, lambda array: array if type(array) is Counting else array.view(Counting))


def bare(value: Any) -> Any:
    """Undo `counted`."""
    return _each(value, lambda array: array.view(np.ndarray) if isinstance(array, Counting) else array)


def _each(value: Any, change: Callable) -> Any:
    if isinstance(value, np.ndarray):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)([_each(one, change) for one in value])
    if type(value) is dict:
        return {key: _each(one, change) for key, one in value.items()}
    return value


def arrays_in(value: Any) -> list[np.ndarray]:
    """Return the arrays of a value, in tuples, lists and dicts too; each once."""
    found: dict[tuple, np.ndarray] = {}

    def look(array: np.ndarray) -> np.ndarray:
        found[_place(array)] = array
        return array

    _each(value, look)
    return list(found.values())


def _place(array: Any) -> tuple:
    return (array.__array_interface__["data"][0], array.shape, array.strides) if np.ndim(array) else (id(array),)


def size_of(value: Any) -> int:
    """Return the bytes that the arrays of a value take, as far as they are read: see the module's docstring."""
    return sum(_own_bytes(array) for array in arrays_in(value))


def _own_bytes(array: np.ndarray) -> int:
    if array.size == 0:
        return 0
    low, high = byte_bounds(array)
    return min(array.nbytes, high - low)


def is_view(result: Any, operands: Any) -> bool:
    """Return whether a function returned arrays, and all of them may be views of its operands."""
    made = arrays_in(result)
    given = arrays_in(operands)
    return all(any(np.may_share_memory(one, other) for other in given) for one in made) and bool(made)


class _CountingNumPy:
    """NumPy, except that the arrays it creates count while a watched function runs."""

    def __init__(self) -> None:
        for name in MADE:
            setattr(self, name, _made(name, getattr(np, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _made(name: str, make: Callable) -> Callable:
    def call(*arguments: Any, **options: Any) -> Any:
        result, seconds = _performed(partial(make, *bare(arguments), **bare(options)))
        if name in CONVERTING and not is_view(result, bare(arguments)):
            note("copy", arguments, result, seconds=seconds)
        elif name not in ROOM and name not in CONVERTING:
            note(name, (), result, seconds=seconds)
        return counted(result) if _moves is not None else result

    return call


def _viewing(function: Callable) -> Callable:
    return lambda *arguments, **options: counted(function(*bare(arguments), **bare(options)))


@contextmanager
def counting() -> Iterator[None]:
    """Make scratch's functions create arrays that count, inside the ``with`` block; `noted` starts and ends a list."""
    memory.clear()  # what is kept there is plain, and would not count
    numpy, patched = _CountingNumPy(), ExitStack()
    with patched:
        for name, module in list(sys.modules.items()):
            if name.startswith(PACKAGES) and module is not memory:
                found = vars(module)
                if found.get("np") is np:
                    patched.enter_context(mock.patch.object(module, "np", numpy))
                for view in VIEWS & found.keys():
                    patched.enter_context(mock.patch.object(module, view, _viewing(found[view])))
        for name in ("empty", "empty_like"):
            patched.enter_context(mock.patch.object(memory, name, _made(name, getattr(memory, name))))
        try:
            yield
        finally:
            memory.clear()  # what is kept there now counts


@contextmanager
def timing_alone() -> Iterator[None]:
    """Time each call by itself inside the ``with`` block, within `counting`: the quickest of some repeats.

    Its operands are then in the cache, as far as they fit. Work that several threads share is done by one of them, so
    that no call waits for another, and counts as if it were shared evenly. So no kernel that makes these calls is
    quicker than their sum.
    """
    global _sharing

    def run_in_turn(task: Callable[[Any], Any], items: Iterable) -> None:
        global _sharing
        items, outside = list(items), _sharing
        if outside == 1 and len(items) > 1:  # a run inside a run shares nothing out
            _sharing = threads.workers(len(items))
        try:
            with one_blas_thread:
                for item in items:
                    task(item)
        finally:
            _sharing = outside

    _sharing = 1
    try:
        with mock.patch.object(threads, "run", run_in_turn):
            yield
    finally:
        _sharing = 0


@contextmanager
def noted() -> Iterator[list[Move]]:
    """List what moves inside the ``with`` block, within `counting`."""
    global _moves
    before, _moves = _moves, []
    try:
        yield _moves
    finally:
        _moves = before
