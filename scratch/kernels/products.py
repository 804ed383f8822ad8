"""Matrix products divided among our own threads, so that the BLAS's stay asleep (see `scratch.kernels.threads`)."""

import functools
import itertools
import math

import numpy as np

from scratch.kernels import memory, threads

# NumPy releases the GIL during a matrix product if the result has at least so many numbers.
RELEASING_SIZE = 512
# So many multiply-adds, times the bytes of a number, are finished before another thread would have started on its half.
SMALL_PRODUCT = 7 << 21

_Product = tuple[np.ndarray, np.ndarray, np.ndarray]  # two factors, and where to write


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return ``a @ b``, divided among the threads; within a `threads.run` of several tasks, on the task's own thread.

    Left to itself, a BLAS would use its own threads; see `one_blas_thread`.

    Parameters
    ----------
    a, b : numpy.ndarray
        Two matrices or stacks of them, which broadcast.
    out : numpy.ndarray, optional
        Where to write.
    """
    if _is_left_whole(a, b):
        return np.matmul(a, b, out=out)
    product, tasks = _divided(a, b, out)
    threads.run(_multiply, tasks)
    return product


def matmuls(*factors: tuple[np.ndarray, np.ndarray] | None) -> list[np.ndarray | None]:
    """Return the `matmul` of each pair, and None for None; the threads divide all of them, and wait once.

    Parameters
    ----------
    *factors : pair of numpy.ndarray, or None
        Two matrices or stacks of them.
    """
    pairs = [pair for pair in factors if pair is not None]
    if any(_is_left_whole(a, b) for a, b in pairs):
        return [None if pair is None else matmul(*pair) for pair in factors]
    divided = [_divided(a, b, None) for a, b in pairs]
    threads.run(_multiply, itertools.chain(*[tasks for _, tasks in divided]))
    products = iter([product for product, _ in divided])
    return [None if pair is None else next(products) for pair in factors]


def _is_left_whole(a: np.ndarray, b: np.ndarray) -> bool:
    threads.touch_blas_memory()
    rows, columns = a.shape[-2], b.shape[-1]
    # A product with a single row or column reads its numbers once: one thread keeps up with memory.
    is_small = a.nbytes * columns <= SMALL_PRODUCT or min(rows, columns) < 2
    return is_small or threads.workers(max(rows, columns)) < 2 or threads.is_running()


def _divided(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> tuple[np.ndarray, list[_Product]]:
    """Return where the product will be, and what each thread multiplies."""
    rows, columns = a.shape[-2], b.shape[-1]
    parts = threads.workers(max(rows, columns))
    product = out
    if product is None:
        product = memory.empty((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, columns), a.dtype)
    if a.shape[:-2] == b.shape[:-2] != () and len(a) % parts == 0:
        return product, [(a[part], b[part], product[part]) for part in threads.shares(len(a), parts)]
    # The longer side of the result is cut, so that each thread packs only its part of the longer factor.
    if rows >= columns:
        return product, [(a[..., part, :], b, product[..., part, :]) for part in threads.shares(rows, parts)]
    return product, [(a, b[..., part], product[..., part]) for part in threads.shares(columns, parts)]


def _multiply(task: _Product) -> None:
    a, b, out = task
    np.matmul(a, b, out=out)


def sum_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a^T b`` for stacks of matrices (..., rows, K) and (..., rows, L): a sum over very many rows.

    During a product with a small result NumPy holds the GIL, however many numbers are summed up in it, and the other
    threads have to wait. So a small result is computed as several, each from a part of the rows, which are summed in
    the end.

    Parameters
    ----------
    a, b : numpy.ndarray
        Of the same number of axes; an axis before the last two may be 1 in either.
    """
    rows, size = b.shape[-2], a.shape[-1] * math.prod(b.shape[:-2]) * b.shape[-1]
    parts = _parts(rows, -(-RELEASING_SIZE // max(size, 1)))
    if parts == 1:
        return matmul(a.swapaxes(-1, -2), b)
    a, b = (c.reshape(*c.shape[:-2], parts, rows // parts, c.shape[-1]) for c in (a, b))
    return (a.swapaxes(-1, -2) @ b).sum(axis=-3)


@functools.lru_cache(maxsize=256)
def _parts(rows: int, least: int) -> int:
    """Return the smallest number, ``least`` or more, of equal parts that ``rows`` can be cut into, or 1."""
    return next((parts for parts in range(least, rows + 1) if rows % parts == 0), 1)
