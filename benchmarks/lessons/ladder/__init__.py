"""The ladder of the lesson on speed: one convolution in five rungs, each a function to be read, all with one result.

    y[n, o, p, q] = sum_c sum_ij weight[o, c, i, j] x[n, c, p + i - 1, q + j - 1]

The kernels are 3 x 3, the stride is 1, and x counts as 0 outside the image, so y has as many rows and columns as x.

    N     batch                          x       (N, C, H, W)
    C, O  channels in, channels out      weight  (O, C, 3, 3)
    H, W  rows and columns               y       (N, O, H, W), in any order in memory

A rung is a file, and its ``convolve(x, weight)`` returns y in the dtype of x. What a rung does not change, it imports
from those before it.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.lessons.ladder import blocks, loops, one_product, threads, winograd

Convolve = Callable[[np.ndarray, np.ndarray], np.ndarray]

RUNGS: dict[str, Convolve] = {
    "loops": loops.convolve,
    "one product": one_product.convolve,
    "blocks": blocks.convolve,
    "threads": threads.convolve,
    "Winograd": winograd.convolve,
}
