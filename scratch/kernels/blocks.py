"""Work that goes through memory many times, in blocks that stay in a core's cache, on several threads.

Ten NumPy operations on ten million numbers read and write main memory ten times. The same ten on a block of some
thousand numbers, and then on the next, read and write it once: in between, the block is in the cache. What belongs to
one element depends on nothing else there, so an array is cut as a line of numbers, in the order in which it lies in
memory. What is summed over rows is cut into rows.
"""

import functools
from collections.abc import Callable

import numpy as np

from scratch.kernels import memory, threads

# Of each array of an elementwise task. Shorter blocks would leave more of the second-level cache free, but two threads
# get no more done than one if NumPy's calls take less than some 20 microseconds: each waits for the GIL that long.
BLOCK_BYTES = 1 << 19
# What takes more passes than this raises its numbers to powers, and keeps them: float32 half a dozen, float64 a dozen.
FEW_PASSES = 10
BLOCK_BYTES_WITH_POWERS = {4: 1 << 18, 8: 1 << 17}
# However much arithmetic there is, on arrays of a quarter of a megabyte two threads wait longer for the interpreter
# lock, and for each other, than is saved.
MOST_PASSES = 3
# Blocks of a line begin at cache lines.
CACHE_LINE = 64


def elementwise(
    task: Callable[..., object], *arrays: np.ndarray, results: int = 1, passes: int = 1
) -> tuple[np.ndarray, ...]:
    """Return new arrays that ``task`` fills, block by block, from the same places of ``arrays``.

    Parameters
    ----------
    task : callable
        Takes a block of each array and then of each result: arrays with one axis. What it writes to one place depends
        on what the arrays have in the same place only.
    *arrays : numpy.ndarray
        Of one shape and dtype. The results have them, too, and the first one's order in memory.
    results : int
        How many arrays to return.
    passes : int
        About how often the work would go through memory without blocks, or how much arithmetic takes that long.
    """
    first = arrays[0]
    shape, dtype = first.shape, first.dtype
    if first.nbytes < memory.SMALLEST and first.ndim < 4:  # in few calls: they take as long as the work
        outputs = [np.empty(shape, dtype) for _ in range(results)]
        task(*[array.reshape(-1) for array in (*arrays, *outputs)])
        return tuple(outputs)
    channels_last = memory.is_channels_last(first)
    lines = [(array.transpose(0, 2, 3, 1) if channels_last else array).reshape(-1) for array in arrays]
    lines += [memory.empty((first.size,), dtype) for _ in range(results)]
    block_bytes = BLOCK_BYTES if passes <= FEW_PASSES else BLOCK_BYTES_WITH_POWERS[first.itemsize]
    if first.nbytes <= block_bytes:
        task(*lines)
    else:
        parts = blocks(first.size, first.itemsize, block_bytes, CACHE_LINE // first.itemsize)
        if first.nbytes * len(lines) * min(passes, MOST_PASSES) > threads.CACHE_BYTES:
            threads.run(lambda part: task(*[line[part] for line in lines]), parts)
        else:
            for part in parts:
                task(*[line[part] for line in lines])
    outputs = lines[len(arrays) :]
    if channels_last:
        n, c, h, w = shape
        return tuple([output.reshape(n, h, w, c).transpose(0, 3, 1, 2) for output in outputs])
    return tuple([output.reshape(shape) for output in outputs])


def with_slope(
    task: Callable[[np.ndarray, np.ndarray, np.ndarray], object], x: np.ndarray, passes: int
) -> tuple[np.ndarray, tuple]:
    """Return an activation's forward, whose ``task`` writes y and its slope; backward is then `times_slope`."""
    y, slope = elementwise(task, x, results=2, passes=passes)
    return y, (slope,)


def times_slope(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Return the gradient of the input of what was computed `with_slope`."""
    (slope,) = saved
    return elementwise(np.multiply, slope, grad_y)[0]


def constant(value: float, like: np.ndarray) -> np.ndarray:
    """Return a block of equal numbers, not to be written to.

    For ``np.minimum`` and ``np.maximum`` an array is up to five times as quick as the number.
    """
    return _constant(value, like.shape, like.dtype)


@functools.lru_cache(maxsize=32)
def _constant(value: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    numbers = np.full(shape, value, dtype)
    numbers.flags.writeable = False
    return numbers


def blocks(count: int, item_bytes: int, block_bytes: int, multiple: int = 1) -> list[slice]:
    """Return slices that divide ``count`` items into an even number of blocks, or one.

    The division depends on nothing but its arguments, so that sums over blocks come out the same anywhere.

    Parameters
    ----------
    count : int
        The number of items: rows, or numbers.
    item_bytes : int
        The size of one.
    block_bytes : int
        What a block may have.
    multiple : int
        All blocks but the last have a multiple of so many items.
    """
    parts = -(-count * item_bytes // block_bytes)
    if parts <= 1:
        return [slice(0, count)]
    parts += parts % 2  # so that two threads have the same to do
    length = -(-count // (parts * multiple)) * multiple
    return [slice(start, min(start + length, count)) for start in range(0, count, length)]
