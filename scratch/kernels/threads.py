"""Work on a batch in chunks on several threads, beside a BLAS that has threads of its own.

The BLAS spreads a matrix product over all cores; NumPy copies patches or takes a maximum on one. So a layer that does
both cuts its batch into chunks and hands them to `run`, which works on several at once, one per thread: NumPy releases
the GIL inside its large operations. Meanwhile each chunk's matrix product must stay on its own thread, or the two
thread pools would compete for the cores: see `one_blas_thread`.

If the BLAS cannot be kept to one thread (see `scratch.kernels.blas`), `run` takes the chunks one after the other and
leaves the cores to the BLAS.

Each thread begins with its own share of the chunks, the same in every run over as many chunks, so that a layer finds in
a core's cache what the layer before left there. A thread that is done helps with the others' shares, so which thread
takes which chunk is not fixed, and the work on a chunk must write only to that chunk's memory. A sum over chunks (a
weight's gradient) is kept for each chunk and summed afterwards, in order, so results do not depend on timing. Results
of `run` over `chunks` do not depend on the number of threads either. Those of `scratch.kernels.products`, which divides
a result evenly among the threads, may in their last bits, as with a BLAS's own threads.

All of this holds if one Python thread calls layers. The pool and the BLAS's number of threads belong to the process. If
several threads call layers at once, one of them gets the pool, and meanwhile the others compute on one thread each;
which one gets it depends on timing. Their results agree to rounding, and may differ in the last bits from run to run.
To get the same bits each time, use processes instead of threads, or one thread for everything (``OMP_NUM_THREADS=1``).
"""

import contextvars
import functools
import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from scratch.kernels import blas
from scratch.kernels.blas import one_blas_thread

T = TypeVar("T")

# How much memory the work on a chunk may touch. Less would stay in a core's second-level cache (a megabyte or two), but
# every NumPy call takes the GIL, and calls of less than some 20 microseconds wait for it so long that two threads get
# no more done than one.
CACHE_BYTES = 20 << 18
# The most threads that share work. Each needs the GIL between two NumPy calls: eight spend most of their time waiting
# for it, and get no more done than four.
MOST_WORKERS = 4
# Work on less memory than this is finished before another thread would have started on its part.
SMALL_BYTES = 1 << 19
# Rows and inner dimension of a product that fills as much of the BLAS's own memory as any product of a layer.
LARGE_PRODUCT = (512, 384)

# The BLAS has already looked at OMP_NUM_THREADS and at the cores that this process may use.
_num_threads = blas.get_num_threads()
_running = threading.Lock()
_queues: list[queue.SimpleQueue] | None = None
_touched = 0  # threads whose BLAS memory `touch_blas_memory` has touched


def get_num_threads() -> int:
    """Return how many threads may be used; at first, as many as the BLAS started with."""
    return _num_threads


def workers(tasks: int) -> int:
    """Return how many threads share so many tasks, at most `MOST_WORKERS`."""
    return min(_num_threads, MOST_WORKERS, tasks)


def set_num_threads(n: int) -> None:
    """Use ``n`` threads, for the BLAS's own matrix products too; `MOST_WORKERS` of them at most share a layer's work.

    Raises
    ------
    TypeError, RuntimeError
        If ``n`` is not an integer, or is less than 1.
    """
    global _num_threads, _queues
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"set_num_threads: expected an integer, got {n!r}")
    if n < 1:
        raise RuntimeError(f"set_num_threads: expected 1 or more, got {n}")
    with _running:
        if blas.can_be_told():
            _num_threads = int(n)
            one_blas_thread.set_num_threads(_num_threads)
        for tasks in _queues or ():
            tasks.put(None)
        _queues = None


def chunks(count: int, image_bytes: int) -> list[slice]:
    """Return slices that divide ``count`` images into chunks whose working set is within `CACHE_BYTES`.

    The division depends only on the arguments, so that sums over chunks come out the same anywhere.

    Parameters
    ----------
    count : int
        The number of images.
    image_bytes : int
        How much memory the work on one image touches.
    """
    parts = -(-count // max(CACHE_BYTES // max(image_bytes, 1), 1))
    if parts > 1 or count * image_bytes > SMALL_BYTES:
        even = min(parts + parts % 2, count)  # so that two threads get equal work
        # Chunks of one size find one another's memory in the cache, so a few more of them are better than two sizes.
        equal = (more for more in range(even, 3 * parts // 2 + 1, 2) if count % more == 0)
        parts = next(equal, even)
    return shares(count, parts)


def shares(count: int, parts: int) -> list[slice]:
    """Return slices that divide ``count`` items evenly."""
    ends = [count * part // max(parts, 1) for part in range(parts + 1)]
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def each_part(task: Callable[..., None], *arrays: np.ndarray) -> None:
    """Call ``task(*arrays)``; if the arrays are big, on slices along the first axis, several at once.

    Parameters
    ----------
    task : callable
        What it writes to a place may depend only on what the arrays have in that place.
    *arrays : numpy.ndarray
        Of one length.
    """
    size = sum([array.nbytes for array in arrays])
    if size <= CACHE_BYTES:
        task(*arrays)
        return
    parts = chunks(len(arrays[0]), size // len(arrays[0]))
    run(lambda part: task(*[array[part] for array in arrays]), parts)


def is_running() -> bool:
    """Return whether the threads share work at this moment."""
    return _running.locked()


def run(task: Callable[[Any], Any], items: Iterable) -> None:
    """Call ``task(item)`` for each item, several at once, and return when all are done.

    Parameters
    ----------
    task : callable
        Takes an item. Tasks must not write to the same place; their order is not defined.
    items : iterable
        What to call it with.

    Raises
    ------
    Exception
        What a task raised, once all threads are done.
    """
    touch_blas_memory()
    items = list(items)
    helpers = workers(len(items)) - 1
    # A run inside another, or at the same time on another thread of the user's, takes its tasks one after the other.
    if helpers < 1 or not blas.can_be_told() or not _running.acquire(blocking=False):
        with one_blas_thread:
            for item in items:
                task(item)
        return
    # A worker takes from the front of its own share, then of the others'. Popping is atomic: no item is taken twice.
    own = [items[share][::-1] for share in shares(len(items), helpers + 1)]

    def work(worker: int) -> None:
        for share in own[worker:] + own[:worker]:
            while share:
                try:
                    item = share.pop()
                except IndexError:  # another thread was quicker
                    break
                task(item)

    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work_and_say(worker: int) -> None:
        try:
            work(worker)
        except BaseException as error:  # raised again by the thread that waits
            done.put(error)
        else:
            done.put(None)

    try:
        with one_blas_thread:
            for worker, helper in enumerate(_helpers()[:helpers], start=1):
                # A copy of the context passes numpy.errstate on to the helper.
                helper.put(functools.partial(contextvars.copy_context().run, work_and_say, worker))
            try:
                work(0)
            finally:
                errors = [done.get() for _ in range(helpers)]
        for error in errors:
            if error is not None:
                raise error
    finally:
        _running.release()


def results(task: Callable[[Any], T], items: Iterable) -> list[T]:
    """Return what ``task(item)`` returns for each item, in order; several at once, as in `run`."""
    items = list(items)
    of_item: dict[int, T] = {}

    def keep(index: int) -> None:
        of_item[index] = task(items[index])

    run(keep, range(len(items)))
    return [of_item[index] for index in range(len(items))]


def touch_blas_memory() -> None:
    """Multiply two matrices on every thread, so that the BLAS has written to the buffers into which it packs factors.

    OpenBLAS's float32 products prefetch memory beyond the numbers that they have packed. As long as nothing was ever
    written there, it has no page, and the processor looks for one in vain again and again: on a virtual machine such
    products take three to four times as long. Products with small results never write to that memory themselves, so a
    process could stay slow as long as it runs.
    """
    global _touched
    if _touched >= _num_threads:
        return
    _touched = _num_threads
    factor = np.ones(LARGE_PRODUCT, np.float32)
    run(lambda _: factor @ factor.T, range(workers(_num_threads)))


def _helpers() -> list[queue.SimpleQueue]:
    """Return the helpers' queues: a helper calls what is put into its queue, until that is None."""
    global _queues
    if _queues is None:
        _queues = [queue.SimpleQueue() for _ in range(workers(_num_threads) - 1)]
        for tasks in _queues:
            threading.Thread(target=_help, args=(tasks,), name="scratch", daemon=True).start()
    return _queues


def _help(tasks: queue.SimpleQueue) -> None:
    while True:
        task = tasks.get()
        if task is None:
            return
        task()
        del task  # so that its arrays are not held until the next task


def _after_fork() -> None:
    # A forked child has none of its parent's threads, and perhaps a lock that one of them held.
    global _running, _queues
    _running, _queues = threading.Lock(), None
    one_blas_thread.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
