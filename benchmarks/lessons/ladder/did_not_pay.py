"""What was tried and did not pay: the same convolution in other ways, each of which sounds as if it were faster."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.lessons.ladder import one_product, winograd
from benchmarks.lessons.ladder.blocks import as_matrix, blocks_of, empty_output, im2col
from benchmarks.lessons.ladder.threads import each
from scratch.kernels.threads import get_num_threads


def windows(x: np.ndarray) -> np.ndarray:
    """Return the patches of ``x`` without copying them, (N, C, H, W, 3, 3)."""
    return sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), axis=(2, 3))


def by_einsum(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Write the formula in one line and copy nothing; but this ``einsum`` runs as a loop in C, without the BLAS."""
    return np.einsum("ncpqij,ocij->nopq", windows(x), weight)


def by_tensordot(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Write the second rung in one line; ``tensordot`` transposes, copies and calls the BLAS."""
    return np.tensordot(windows(x), weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)


def in_float16(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Move half as many bytes; but NumPy's BLAS has no float16, and each number is converted separately."""
    return one_product.convolve(x.astype(np.float16), weight.astype(np.float16)).astype(x.dtype)


def by_fft(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take a product for each frequency: the fewest multiplications of all, but the transforms cost time, too."""
    height, width = x.shape[2:]
    size = height + 2, width + 2  # so that the end of a row does not come round to its beginning
    frequencies = size[0] * (size[1] // 2 + 1)
    # An FFT's product convolves with a flipped kernel; the conjugate flips it back.
    of_weight = np.fft.rfft2(weight, size).conj().transpose(2, 3, 1, 0)  # (frequencies down and across, C, O)
    y = empty_output(x, weight)

    def convolve_block(block: slice) -> None:
        of_x = np.fft.rfft2(x[block], size).transpose(2, 3, 0, 1)  # (frequencies down and across, n, C)
        z = np.fft.irfft2((of_x @ of_weight).transpose(2, 3, 0, 1), size)
        # The kernel's corner, not its middle, lies on the pixel: everything is one row and one column too early.
        y[block] = np.roll(z, (1, 1), axis=(2, 3))[:, :, :height, :width].transpose(0, 2, 3, 1)

    each(convolve_block, blocks_of(x, 8 * frequencies * (x.shape[1] + len(weight))))  # 8 bytes: a complex64
    return y.transpose(0, 3, 1, 2)


def by_larger_squares(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take F(4 x 4, 3 x 3): 36 multiplications for 16 outputs, but its transforms are longer and round more."""
    return winograd.convolve(x, weight, winograd.F4)


def on_two_pools(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Do as the fourth rung, but do not limit the BLAS, whose threads and ours then compete for the same cores."""
    y, matrix = empty_output(x, weight), as_matrix(weight)

    def convolve_block(block: slice) -> None:
        np.matmul(im2col(x[block]), matrix, out=y[block].reshape(-1, len(weight)))

    with ThreadPoolExecutor(get_num_threads()) as pool:
        list(pool.map(convolve_block, blocks_of(x, 9 * x[:1].nbytes)))
    return y.transpose(0, 3, 1, 2)
