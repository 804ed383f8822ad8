"""Work that takes many passes through memory, in blocks that stay in a core's cache, on several threads.

Ten NumPy operations on ten million numbers read and write main memory ten times. The same ten on one block, and then on
the next, read and write it once: in between, the block stays in the cache. In elementwise work no element depends on
another, so an array is cut as one line of numbers, in memory order. What is summed over rows is cut into rows.
"""

import functools
from collections.abc import Callable

import numpy as np

from scratch.kernels import memory, threads

# For each array of an elementwise task. Shorter blocks would leave more of the second-level cache free, but if NumPy's
# calls take less than some 20 microseconds, two threads get no more done than one: each waits for the GIL that long.
BLOCK_BYTES = 1 << 19
# A task with more passes than this raises its numbers to powers, and keeps these: half a dozen in float32, a dozen in
# float64.
FEW_PASSES = 10
BLOCK_BYTES_WITH_POWERS = {4: 1 << 18, 8: 1 << 17}
# On arrays of a quarter of a megabyte two threads wait longer for the GIL, and for each other, than they save, however
# much arithmetic there is.
MOST_PASSES = 3
# Blocks of a line of numbers begin at cache lines.
CACHE_LINE = 64


def elementwise(
    task: Callable[..., object], *arrays: np.ndarray, results: int = 1, passes: int = 1
) -> tuple[np.ndarray, ...]:
    """Return new arrays that ``task`` fills, block by block, from the same places of ``arrays``.

    Parameters
    ----------
    task : callable
        Takes a block of each array and then of each result: arrays with one axis. What it writes to a place may depend
        only on what the arrays have in that place.
    *arrays : numpy.ndarray
        Of one shape and dtype. The results have these too, and the memory order of the first array.
    results : int
        How many arrays to return.
    passes : int
        About how many passes through memory the work would take without blocks, or arithmetic that takes as long.
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
    """Run the forward of an activation whose ``task`` writes y and its slope; its backward is `times_slope`."""
    y, slope = elementwise(task, x, results=2, passes=passes)
    return y, (slope,)


def times_slope(grad_y: np.ndarray, saved: tuple) -> np.ndarray:
    """Return the gradient of the input of an activation that was computed `with_slope`."""
    (slope,) = saved
    return elementwise(np.multiply, slope, grad_y)[0]


def constant(value: float, like: np.ndarray) -> np.ndarray:
    """Return a block of equal numbers, which is read-only.

    ``np.minimum`` and ``np.maximum`` are up to five times as fast with an array as with the number.
    """
    return _constant(value, like.shape, like.dtype)


@functools.lru_cache(maxsize=32)
def _constant(value: float, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    numbers = np.full(shape, value, dtype)
    numbers.flags.writeable = False
    return numbers


def blocks(count: int, item_bytes: int, block_bytes: int, multiple: int = 1) -> list[slice]:
    """Return slices that divide ``count`` items into an even number of blocks, or one.

    The division depends only on the arguments, so that sums over blocks come out the same anywhere.

    Parameters
    ----------
    count : int
        How many items: rows, or numbers.
    item_bytes : int
        The size of one.
    block_bytes : int
        The most that a block may have.
    multiple : int
        The number of items in every block but the last is a multiple of this.
    """
    parts = -(-count * item_bytes // block_bytes)
    if parts <= 1:
        return [slice(0, count)]
    parts += parts % 2  # so that two threads get equal work
    length = -(-count // (parts * multiple)) * multiple
    return [slice(start, min(start + length, count)) for start in range(0, count, length)]
