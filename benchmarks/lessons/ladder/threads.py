"""The fourth rung: a block on each core, with the BLAS limited to the core that calls it.

The BLAS has its own threads, so the product used all cores before; padding and im2col ran on one, while the others
waited. Python's threads can copy at the same time, because NumPy releases the interpreter lock (the GIL) inside its
large operations. But if two threads call a BLAS that starts two threads for each, four threads share two cores.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from benchmarks.lessons.ladder.blocks import as_matrix, blocks_of, empty_output, im2col
from scratch.kernels.threads import get_num_threads

BLAS = ThreadpoolController().select(user_api="blas")


def convolve(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the convolution of ``x``, a block on each thread."""
    y, matrix = empty_output(x, weight), as_matrix(weight)

    def convolve_block(block: slice) -> None:
        np.matmul(im2col(x[block]), matrix, out=y[block].reshape(-1, len(weight)))

    each(convolve_block, blocks_of(x, 9 * x[:1].nbytes))
    return y.transpose(0, 3, 1, 2)


def each(task: Callable[[slice], None], blocks: Iterable[slice]) -> None:
    """Call ``task(block)`` for every block, on as many threads as the BLAS has, with the BLAS on one thread in each."""
    with BLAS.limit(limits=1), ThreadPoolExecutor(get_num_threads()) as pool:
        for _ in pool.map(task, blocks):  # asking for a result raises what its task raised
            pass
