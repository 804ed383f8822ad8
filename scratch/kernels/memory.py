"""Reused memory: arrays whose pages the machine has touched before.

A new array of some megabytes is cheap to allocate and expensive to write: the operating system supplies its pages one
by one, each zeroed at the first touch, and that can take longer than the arithmetic that fills it. A training step asks
for the same shapes again and again, so their memory is kept here and reused.

When may memory be reused? Once nobody can see it any more. Every array that `empty` returns is a view of a block, every
view of that view refers to the block too (NumPy's ``.base``), and Python counts the references: a block that only the
pool refers to is free. So an output that somebody kept, or any slice of it, is never overwritten, and nothing has to be
freed by hand.

    y = memory.empty((128, 32, 28, 28), np.float32, channels_last=True)     # as numpy.empty: contents are arbitrary

Each thread has its own blocks. What a core wrote last is in that core's cache, and another core that overwrites it must
fetch it from there first: two threads that used the same blocks in turn would spend more time on that than on filling
them.

Arrays below `SMALLEST` bytes come from NumPy, whose own allocator is fast for them.
"""

import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable
from math import prod
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Dtype = np.dtype | type[np.generic] | type[bool] | str

SMALLEST = 1 << 15  # bytes
LIMIT = 1 << 30  # bytes that all pools keep at most, in use or not; beyond it, NumPy allocates and frees
MOST_KEPT = 16  # things that a thread keeps with `kept`
_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register

# Memory with its first aligned byte: NumPy takes longer to look up an array's address than to make an array.
_Block = tuple["Memory", int]


class Memory(np.ndarray):
    """The bytes of a block. The class distinguishes arrays in reused memory from views of somebody's array."""


class _Pool:
    """A thread's blocks, by their size.

    Only its own thread changes what is in the dicts. Others may read how long the lists are (`held`), or put new, empty
    dicts in place of these (`clear`).
    """

    def __init__(self) -> None:
        self.blocks: dict[int, list[_Block]] = {}
        self.kept: dict[Hashable, Any] = {}


_of_thread = threading.local()
_pools: weakref.WeakSet[_Pool] = weakref.WeakSet()  # the pools of the threads that are alive
_lock = threading.Lock()  # held while changing `_pools` or iterating over it


def _holders(blocks: list[_Block], index: int) -> int:
    return sys.getrefcount(blocks[index][0])


# What `_holders` returns for a block that only its list refers to. The count includes the call's own references, and
# how many these are differs between versions of Python.
_UNHELD = _holders([(Memory(1), 0)], 0)


def empty(shape: tuple[int, ...], dtype: Dtype = np.float32, channels_last: bool = False) -> np.ndarray:
    """Return an array of arbitrary contents, in reused memory if there is a free block of that size.

    May be called from any thread.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    dtype : numpy dtype
        Its dtype.
    channels_last : bool
        For four axes (N, C, H, W): lay them out in memory as (N, H, W, C). The shape stays (N, C, H, W).

    Returns
    -------
    numpy.ndarray
        C-contiguous, or channels-last if asked for.
    """
    if channels_last:
        n, c, h, w = shape
        return empty((n, h, w, c), dtype).transpose(0, 3, 1, 2)
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALLEST:
        return np.empty(shape, dtype)
    block, start = _block(_rounded(size + _ALIGNMENT))
    return np.ndarray(shape, dtype, buffer=block, offset=start)


def kept(key: Hashable, make: Callable[[], T]) -> T:
    """Return what ``make()`` returned when this thread first asked for ``key``.

    Each thread keeps the `MOST_KEPT` that were asked for last, with the memory that they hold.
    """
    things = _pool().kept
    thing = things.pop(key, None)
    if thing is None:
        while len(things) >= MOST_KEPT:
            del things[next(iter(things))]
        thing = make()
    things[key] = thing  # at the end: the first is the least recently used
    return thing


def empty_like(array: np.ndarray, shape: tuple[int, ...] | None = None, dtype: Dtype | None = None) -> np.ndarray:
    """Return an array of arbitrary contents with ``array``'s memory order.

    Parameters
    ----------
    array : numpy.ndarray
        The example.
    shape : tuple of int, optional
        Another shape of as many axes; by default ``array``'s.
    dtype : numpy dtype, optional
        Another dtype; by default ``array``'s.
    """
    if shape is None and dtype is None and array.nbytes < SMALLEST:
        return np.empty_like(array)
    return empty(
        array.shape if shape is None else shape, array.dtype if dtype is None else dtype, is_channels_last(array)
    )


def in_order_of(array: np.ndarray, example: np.ndarray) -> np.ndarray:
    """Return ``array``, or a copy of it if its memory order is not that of ``example``.

    Operations on arrays of one memory order read them in sequence; with two orders they jump about in one of them.
    """
    if is_channels_last(array) == is_channels_last(example):
        return array
    copy = empty(array.shape, array.dtype, is_channels_last(example))
    copy[...] = array
    return copy


def is_channels_last(array: np.ndarray) -> bool:
    """Return whether ``array`` is of shape (N, C, H, W) with the channels next to each other in memory."""
    return array.ndim == 4 and array.shape[1] > 1 and array.strides[1] == array.itemsize


def clear() -> None:
    """Forget every block. Arrays that are in use stay valid."""
    with _lock:
        for pool in _pools:
            pool.blocks, pool.kept = {}, {}


def held() -> int:
    """Return how many bytes the pools keep, in use or not."""
    with _lock:
        # Each dict is copied in one atomic step, since its thread may be adding to it.
        return sum(size * len(blocks) for pool in _pools for size, blocks in list(pool.blocks.items()))


def _rounded(size: int) -> int:
    # Up to the next of eight sizes per power of two, so that a last batch that is a little smaller finds the others'
    # blocks.
    step = max(1 << (size.bit_length() - 4), 1)
    return -(-size // step) * step


def _pool() -> _Pool:
    pool = getattr(_of_thread, "pool", None)
    if pool is None:
        pool = _of_thread.pool = _Pool()
        with _lock:
            _pools.add(pool)
    return pool


def _block(size: int) -> _Block:
    pool = _pool()
    blocks = pool.blocks.setdefault(size, [])
    for index in range(len(blocks)):
        if _holders(blocks, index) == _UNHELD:
            return blocks[index]
    array = Memory(size, np.uint8)
    block = array, -array.ctypes.data % _ALIGNMENT
    if held() + size > LIMIT:
        _drop_unheld(pool)
    if held() + size <= LIMIT:
        pool.blocks.setdefault(size, []).append(block)
    return block


def _drop_unheld(pool: _Pool) -> None:
    for size, blocks in list(pool.blocks.items()):
        pool.blocks[size] = [blocks[index] for index in range(len(blocks)) if _holders(blocks, index) != _UNHELD]


def _after_fork() -> None:
    # The lock that another thread of the parent held at that moment would never be released in the child.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
