r"""The additions around Winograd's products, for kernels of 3 and of 2 numbers: tables of ones, minus ones and zeros.

`scratch.kernels.winograd` derives F(2 x 2, 3 x 3), and uses these along rows and along columns. F(2 x 2, 2 x 2) is the
same with a smaller tile: two outputs are made of three pixels, with three multiplications instead of four,

    y0 = d0 g0 + d1 g1            m0 = (d0 - d1) g0        m1 = d1 (g0 + g1)        m2 = (d2 - d1) g1
    y1 = d1 g0 + d2 g1            y0 = m0 + m1             y1 = m1 + m2

           1 -1  0                1 0
    B^T =  0  1  0          G =   1 1         A^T = 1 1 0
           0 -1  1                0 1               0 1 1

A 4 x 4 kernel of stride 2 is such a 2 x 2 kernel on images of 2 x 2 blocks, whose channels are the blocks' pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from scratch.kernels import memory
from scratch.kernels.patches import Pair

# A ufunc and its operands, the last of which it writes to.
Step = tuple[Callable[..., np.ndarray], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Tiles:
    """F(2, r): two outputs of a kernel with r numbers.

    Attributes
    ----------
    points : int
        How many numbers a transformed tile has, r + 1.
    g : numpy.ndarray, shape (points, r)
        G.
    take_apart : callable
        Returns the steps of v = B^T d: pixels are (even or odd, tiles + 1, ...), v is (points, tiles, ...).
    put_together : callable
        Returns the steps of its adjoint, which overwrite grad_v.
    add_up : callable
        Returns the steps of A^T m along the first axis, into its first two places.
    spread : callable
        Returns the steps of A grad_y along the first axis, in whose first and last place grad_y lies.
    """

    points: int
    g: np.ndarray
    take_apart: Callable[[np.ndarray, np.ndarray], list[Step]]
    put_together: Callable[[np.ndarray, np.ndarray], list[Step]]
    add_up: Callable[[np.ndarray], list[Step]]
    spread: Callable[[np.ndarray], list[Step]]

    @property
    def both_ways(self) -> np.ndarray:
        """G w G^T, as a matrix that takes w as a column: shape (points^2, r^2)."""
        return (self.g[:, None, :, None] * self.g[:, None]).reshape(self.points**2, -1)


def _take_apart_3(pixels: np.ndarray, v: np.ndarray) -> list[Step]:
    first, last = pixels[:, :-1], pixels[:, 1:]  # d0 and d1, d2 and d3
    d1, d2 = first[1], last[0]
    return [
        (np.subtract, (first, last, v[::3])),
        (np.add, (d1, d2, v[1])),
        (np.subtract, (d2, d1, v[2])),
    ]


def _put_together_3(grad_v: np.ndarray, grad_pixels: np.ndarray) -> list[Step]:
    outer, v1, v2 = grad_v[::3], grad_v[1], grad_v[2]
    total = memory.empty(v1.shape, v1.dtype)
    even, odd = grad_pixels
    d1s, d2s = odd[:-1], even[1:]
    return [
        (np.add, (v1, v2, total)),
        (np.subtract, (v1, v2, v1)),
        # v0 and v3 are subtracted from a tile's last two pixels and added to its first two, which are the last two of
        # the tile before.
        (np.positive, (outer[:, 0], grad_pixels[:, 0])),
        (np.subtract, (outer[:, 1:], outer[:, :-1], grad_pixels[:, 1:-1])),
        (np.negative, (outer[:, -1], grad_pixels[:, -1])),
        (np.add, (d2s, total, d2s)),
        (np.add, (d1s, v1, d1s)),
    ]


def _add_up_3(m: np.ndarray) -> list[Step]:
    m0, m1, m2, m3 = m
    return [
        (np.add, (m0, m1, m0)),
        (np.add, (m0, m2, m0)),
        (np.subtract, (m1, m2, m1)),
        (np.add, (m1, m3, m1)),
    ]


def _spread_3(grad_m: np.ndarray) -> list[Step]:
    m0, m1, m2, m3 = grad_m
    return [(np.add, (m0, m3, m1)), (np.subtract, (m0, m3, m2))]


def _take_apart_2(pixels: np.ndarray, v: np.ndarray) -> list[Step]:
    even, odd = pixels
    d1 = odd[:-1]
    d0_and_d2 = as_strided(even, (2, *d1.shape), (even.strides[0], *even.strides))
    return [(np.subtract, (d0_and_d2, d1, v[::2])), (np.positive, (d1, v[1]))]


def _put_together_2(grad_v: np.ndarray, grad_pixels: np.ndarray) -> list[Step]:
    v0, v1, v2 = grad_v
    even, odd = grad_pixels
    return [
        (np.subtract, (v1, v0, v1)),
        (np.subtract, (v1, v2, odd[:-1])),
        # A tile's last pixel is the next one's first.
        (np.positive, (v0[0], even[0])),
        (np.add, (v0[1:], v2[:-1], even[1:-1])),
        (np.positive, (v2[-1], even[-1])),
    ]


def _add_up_2(m: np.ndarray) -> list[Step]:
    m0, m1, m2 = m
    return [(np.add, (m0, m1, m0)), (np.add, (m1, m2, m1))]


def _spread_2(grad_m: np.ndarray) -> list[Step]:
    m0, m1, m2 = grad_m
    return [(np.add, (m0, m2, m1))]


_OF_3 = Tiles(
    4,
    np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, -1]]),
    _take_apart_3,
    _put_together_3,
    _add_up_3,
    _spread_3,
)
_OF_2 = Tiles(3, np.array([[1, 0], [1, 1], [0, 1]]), _take_apart_2, _put_together_2, _add_up_2, _spread_2)

# By the kernel's height and width.
OF_KERNEL: dict[Pair, Tiles] = {(3, 3): _OF_3, (2, 2): _OF_2}
