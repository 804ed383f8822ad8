r"""Winograd's convolution, F(2 x 2, 3 x 3): a 3 x 3 kernel with less than half the multiplications.

Two neighbours y0, y1 in a row of the output are made of the four pixels d0 to d3 and the kernel g0, g1, g2:

    y0 = d0 g0 + d1 g1 + d2 g2            y1 = d1 g0 + d2 g1 + d3 g2

That takes six multiplications. Four are enough, with additions before and after:

    m0 = (d0 - d2) g0                     m1 = (d1 + d2) (g0 + g1 + g2) / 2
    m3 = (d1 - d3) (-g2)                  m2 = (d2 - d1) (g0 - g1 + g2) / 2

    y0 = m0 + m1 + m2                     y1 = m1 - m2 + m3

or, with an elementwise product in the middle, y = A^T [(G g) * (B^T d)], where

           1  0 -1  0             1    0    0
    B^T =  0  1  1  0       G =  1/2  1/2  1/2       A^T = 1  1  1  0
           0 -1  1  0            1/2 -1/2  1/2             0  1 -1  1
           0  1  0 -1             0    0   -1

In two dimensions, the transforms are applied along the columns and along the rows: a tile d of 4 x 4 pixels gives
2 x 2 outputs with 16 multiplications instead of 36, and the next tile begins two pixels further. For N images of C
channels, T tiles in each, and O output channels:

Forward
    F1  v = B^T d B                       (4, 4, N T, C)
    F2  u = G w G^T                       (4, 4, C, O)
    F3  m_ab = v_ab u_ab                  (4, 4, N T, O)     sixteen matrix products: the sum over channels
    F4  m_11 += b                                            A^T m A carries m_11 to all four outputs
    F5  y = A^T m A                       (2, 2, N T, O)

Backward: every step is linear, so its adjoint is its transpose
    B1  grad_m = A grad_y A^T             (4, 4, N T, O)     F5
    B2  grad_b = sum grad_m_11            (O,)               F4
    B3  grad_u_ab = v_ab^T grad_m_ab      (4, 4, C, O)       F3, as in `Linear`
    B4  grad_v_ab = grad_m_ab u_ab^T      (4, 4, N T, C)     F3, the same
    B5  grad_w = G^T grad_u G             (3, 3, C, O)       F2
    B6  grad_d = B grad_v B^T             (4, 4, N T, C)     F1; tiles overlap, so a pixel's gradient is a sum over
                                                             tiles

No output depends on a pixel outside of its own patch: y0's formula does not contain d3, nor y1's d0. So where a patch
is all zeros the output is exactly b, as with im2col. The rounding does change a little, and an infinity becomes NaN,
because it is subtracted from itself: `convolve` and `convolve_backward` tell the caller so by what they return.

`scratch.kernels.winograd_tiles` has the additions as code, and the same for kernels of 2 x 2. A kernel whose height and
width are two or three strides is applied to blocks of stride x stride pixels: each block takes the place of a pixel
here, and its channels are all the numbers in it.

In the code, the pixels of even and odd columns are separated first, with the images next to each other, so that all
further additions are over contiguous memory. These additions are short: making the views for them takes as long as the
additions, and holds the GIL while other threads wait for it. So the views are made once for all chunks of a shape, and
the additions are stored as steps that run for each chunk.

See Winograd, "Arithmetic complexity of computations", 1980, and Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", arXiv:1509.09308.
"""

from collections.abc import Callable
from itertools import product
from math import isfinite
from typing import NamedTuple

import numpy as np

from scratch.kernels import buffer, memory, threads
from scratch.kernels.channel_sums import channel_sum
from scratch.kernels.padded_images import Sides
from scratch.kernels.patches import Pair
from scratch.kernels.winograd_tiles import OF_KERNEL, Step, Tiles

# A chunk's memory is kept for the next chunk if it takes no more than this. It takes more only if a single image does,
# and then the time to allocate it is nothing beside the work on it.
MOST_KEPT_BYTES = 2 * threads.CACHE_BYTES


class Form(NamedTuple):
    """What a convolution looks like in tiles.

    Attributes
    ----------
    kernel : (2, 2) or (3, 3)
        The kernel's height and width, in blocks.
    block : (bh, bw)
        The rows and columns of a block, which are the strides.
    sides : ((top, bottom), (left, right))
        How many zeros the images are padded with.
    size : (P, Q)
        The output's rows and columns.
    """

    kernel: Pair
    block: Pair
    sides: Sides
    size: Pair

    @property
    def tiles(self) -> Tiles:
        """The additions."""
        return OF_KERNEL[self.kernel]

    @property
    def tiled_size(self) -> Pair:
        """How many tiles lie below one another, and side by side."""
        return -(-self.size[0] // 2), -(-self.size[1] // 2)

    @property
    def share(self) -> float:
        """The share of the plain convolution's products that this takes."""
        (down, across), (kh, kw), (p, q) = self.tiled_size, self.kernel, self.size
        return self.tiles.points**2 * down * across / max(kh * kw * p * q, 1)

    def channels(self, x_shape: tuple[int, ...]) -> int:
        """Return how many numbers a block has, for images (N, C, H, W)."""
        return x_shape[1] * self.block[0] * self.block[1]

    def image_bytes(self, channels: int, out_channels: int, dtype: np.dtype) -> int:
        """Return how much memory v and m of one image take, given how many numbers a block and an output have."""
        down, across = self.tiled_size
        return self.tiles.points**2 * down * across * (channels + out_channels) * dtype.itemsize

    def empty_tiles(self, x: np.ndarray) -> np.ndarray:
        """Return room for v, the transformed images of ``x`` (N, C, H, W)."""
        points = self.tiles.points
        return memory.empty((points, points, *self.tiled_size, len(x), self.channels(x.shape)), x.dtype)

    def transform_kernels(self, matrix: np.ndarray) -> "Kernels":
        """Return the transformed kernels, given w' (kh kw C, O), whose rows are in the order i, j, c."""
        g = self.tiles.both_ways.astype(matrix.dtype)
        u = threads.matmul(g, matrix.reshape(g.shape[1], -1)).reshape(len(g), -1, matrix.shape[1])  # F2
        return Kernels(self, u)


class Kernels(NamedTuple):
    """A convolution's kernels, transformed, and its form.

    Attributes
    ----------
    form : Form
    u : numpy.ndarray, shape (16, C, O) or (9, C, O)
        For `convolve_backward` transposed, (..., O, C).
    """

    form: Form
    u: np.ndarray

    def transposed(self) -> "Kernels":
        """Return the same for `convolve_backward`, whose products are quicker if the transpose is contiguous."""
        return Kernels(self.form, self.u.swapaxes(1, 2).copy())


@np.errstate(over="ignore", invalid="ignore")
def convolve(
    x: np.ndarray,
    kernels: Kernels,
    bias: np.ndarray | None,
    y: np.ndarray,
    v: np.ndarray | None = None,
) -> bool:
    """Write the convolution of ``x`` into ``y``.

    Parameters
    ----------
    x : numpy.ndarray, shape (N, C, H, W)
        The images.
    kernels : Kernels
        What `Form.transform_kernels` returned.
    bias : numpy.ndarray of shape (O,), or None
        What to add.
    y : numpy.ndarray, shape (N, O, P, Q)
        Where to write; channels-last.
    v : numpy.ndarray, optional
        What `Form.empty_tiles` returned: where to save the transformed images for `convolve_backward`.

    Returns
    -------
    bool
        Whether all of ``y`` is finite and far from the largest number; if not, it may be wrong.
    """
    chunk = _convolve(x, kernels, bias, v)
    chunk.outputs.copy_to(y)
    return _far_from_overflow(y)


@np.errstate(over="ignore", invalid="ignore")
def convolve_planes(
    x: np.ndarray, kernels: Kernels, bias: np.ndarray | None, v: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """Do as `convolve` does, for an output of even size (P, Q), but return its pixels as planes, without copying them.

    Returns
    -------
    planes : numpy.ndarray, shape (2, 2, P/2, Q/2, N, O)
        The outputs of even and odd rows, and of even and odd columns. Valid until this thread's next call.
    bool
        As for `convolve`.
    """
    planes = _convolve(x, kernels, bias, v).m_planes[:2, :2]
    return planes, all(_far_from_overflow(planes[place].reshape(-1)) for place in product((0, 1), (0, 1)))


def _convolve(x: np.ndarray, kernels: Kernels, bias: np.ndarray | None, v: np.ndarray | None) -> "_Chunk":
    np.setbufsize(buffer.SMALLEST)  # until the caller's errstate ends
    form, u = kernels
    chunk = _chunk(x, u.shape[2], form)
    v = chunk.transform(x, v)  # F1
    threads.matmul(_as_matrices(v), u, out=chunk.m)  # F3
    if bias is not None:
        chunk.bias[...] = bias
        _take(chunk.add_bias)  # F4
    _take(chunk.add_up)  # F5
    return chunk


@np.errstate(over="ignore", invalid="ignore")
def convolve_backward(
    x: np.ndarray,
    kernels: Kernels,
    grad_y: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None = None,
) -> bool:
    """Write the gradients of `convolve` that are asked for.

    Parameters
    ----------
    x
        As for `convolve`.
    kernels : Kernels
        What `Kernels.transposed` returned.
    grad_y : numpy.ndarray, shape (N, O, P, Q)
        The upstream gradient.
    grad_matrix : numpy.ndarray of shape (..., kh kw C, O), or None
        Where to write the gradient of the kernels w'.
    grad_bias : numpy.ndarray of shape (..., O), or None
        Where to write that of the bias.
    grad_x : numpy.ndarray of shape (N, C, H, W), or None
        Where to write that of the images; channels-last.
    v : numpy.ndarray, optional
        What `convolve` saved there; by default the images are transformed again.

    Returns
    -------
    bool
        As for `convolve`, of the gradients.
    """
    chunk = _chunk(x, grad_y.shape[1], kernels.form)
    for corner in chunk.beyond:
        corner[...] = 0
    chunk.corners.copy_from(grad_y)
    return _undo(chunk, x, kernels.u, grad_matrix, grad_bias, grad_x, v)


@np.errstate(over="ignore", invalid="ignore")
def convolve_planes_backward(
    x: np.ndarray,
    kernels: Kernels,
    write_grad_planes: Callable[[np.ndarray], object],
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None,
) -> bool:
    """Do as `convolve_backward` does, for a gradient that ``write_grad_planes`` writes in `convolve_planes`' form."""
    chunk = _chunk(x, kernels.u.shape[1], kernels.form)
    write_grad_planes(chunk.corners_of_m)
    return _undo(chunk, x, kernels.u, grad_matrix, grad_bias, grad_x, v)


def _undo(
    chunk: "_Chunk",
    x: np.ndarray,
    u_transposed: np.ndarray,
    grad_matrix: np.ndarray | None,
    grad_bias: np.ndarray | None,
    grad_x: np.ndarray | None,
    v: np.ndarray | None,
) -> bool:
    np.setbufsize(buffer.SMALLEST)  # until the caller's errstate ends
    if grad_matrix is not None and v is None:
        v = chunk.transform(x)
    _take(chunk.spread)  # B1
    trusted = True
    if grad_bias is not None:
        grad_bias[...] = channel_sum(chunk.m_11)  # B2
        trusted = _far_from_overflow(grad_bias.reshape(-1))
    if grad_matrix is not None and v is not None:
        grad_u = threads.matmul(_as_matrices(v).swapaxes(1, 2), chunk.m, out=chunk.grad_u)  # B3
        g = chunk.both_ways
        threads.matmul(g.T, grad_u.reshape(len(g), -1), out=grad_matrix.reshape(g.shape[1], -1))  # B5
        trusted = trusted and _far_from_overflow(grad_u)
    if grad_x is not None:
        threads.matmul(chunk.m, u_transposed, out=_as_matrices(chunk.v))  # B4
        _take(chunk.put_together)  # B6
        chunk.grad_pixels.copy_to(grad_x)
        trusted = trusted and _far_from_overflow(grad_x)
    return trusted


class _Places:
    """Parts of an image (rows, columns, N, C), each with the memory that it is copied to, or from."""

    def __init__(self, pairs: list[tuple[Callable[..., np.ndarray], np.ndarray]]) -> None:
        self._pairs = pairs

    def copy_from(self, image: np.ndarray) -> None:
        image = image.transpose(2, 3, 0, 1)
        for part_of, place in self._pairs:
            np.copyto(place, part_of(image))

    def copy_to(self, image: np.ndarray) -> None:
        image = image.transpose(2, 3, 0, 1)
        for part_of, place in self._pairs:
            np.copyto(part_of(image), place)


class _Blocks:
    """Images (rows, columns, N, C) as blocks, each with the memory that its numbers are copied to, or from.

    They are copied twice, by way of a padded image in which whole rows of a block are contiguous.
    """

    def __init__(self, blocks: np.ndarray, size: Pair, form: Form) -> None:
        (bh, bw), ((top, _), (left, _)) = form.block, form.sides
        _, rows, columns, n, _ = blocks.shape
        padded = memory.empty((n, rows, bh, columns, 2, bw, blocks.shape[4] // (bh * bw)), blocks.dtype)
        padded[...] = 0
        self._blocks = blocks.reshape(2, rows, columns, n, bh, bw, -1)
        self._padded = padded.transpose(4, 1, 3, 0, 2, 5, 6)
        read = [b * (length + k - 1) for b, length, k in zip(form.block, form.size, form.kernel, strict=True)]
        whole = padded.reshape(n, rows * bh, 2 * columns * bw, -1)[:, : read[0], : read[1]]
        self._image = whole[:, top : top + size[0], left : left + size[1]].transpose(0, 3, 1, 2)

    def copy_from(self, image: np.ndarray) -> None:
        rows, columns = self._image.shape[2:]
        np.copyto(self._image, image[:, :, :rows, :columns])
        np.copyto(self._blocks, self._padded)

    def copy_to(self, image: np.ndarray) -> None:
        rows, columns = self._image.shape[2:]
        np.copyto(self._padded, self._blocks)
        np.copyto(image[:, :, :rows, :columns], self._image)
        image[:, :, rows:], image[:, :, :rows, columns:] = 0, 0  # no patch reaches there


def _places_of_pixels(pixels: np.ndarray, size: Pair, form: Form) -> _Places | _Blocks:
    # Of images of a size (H, W), in (even or odd column, rows, columns, N, C) of the padded ones, or of their blocks.
    if form.block != (1, 1):
        return _Blocks(pixels, size, form)
    (top, _), (left, _) = form.sides
    pairs: list[tuple[Callable[..., np.ndarray], np.ndarray]] = []
    for b in (0, 1):
        column = (b - left) % 2
        begin, columns = (column + left) // 2, len(range(column, size[1], 2))
        place = pixels[b, top : top + size[0], begin : begin + columns]
        pairs.append((lambda image, column=column: image[:, column::2], place))
    return _Places(pairs)


def _places_of_outputs(planes: np.ndarray, size: Pair) -> _Places:
    # Of outputs of a size (P, Q), in (even or odd row, even or odd column, rows, columns, N, O).
    if size[0] % 2 == 0 and size[1] % 2 == 0:
        shape = (size[0] // 2, 2, size[1] // 2, 2, *planes.shape[4:])
        return _Places([(lambda image: image.reshape(shape), planes.transpose(2, 0, 3, 1, 4, 5))])
    pairs: list[tuple[Callable[..., np.ndarray], np.ndarray]] = []
    for a, b in product((0, 1), (0, 1)):
        rows, columns = len(range(a, size[0], 2)), len(range(b, size[1], 2))
        pairs.append((lambda image, a=a, b=b: image[a::2, b::2], planes[a, b, :rows, :columns]))
    return _Places(pairs)


class _Chunk:
    """Memory for the work on chunks of one shape, and its steps."""

    def __init__(self, x_shape: tuple[int, ...], o: int, form: Form, dtype: np.dtype) -> None:
        n, c, size, (down, across) = x_shape[0], form.channels(x_shape), form.size, form.tiled_size
        self.tiles = tiles = form.tiles
        points = tiles.points
        pixels = memory.empty((2, 2 * (down + 1), across + 1, n, c), dtype)
        pixels[...] = 0  # what no image's pixels overwrite is padding
        grad_pixels = memory.empty(pixels.shape, dtype)
        halfway = memory.empty((points, 2, down, across + 1, n, c), dtype)
        v, m = (memory.empty((points, points, down, across, n, channels), dtype) for channels in (c, o))
        self.v, self.m, self.m_planes, self.m_11 = v, _as_matrices(m), m, m[1, 1].reshape(-1, o)
        self.grad_u, self.both_ways = memory.empty((points**2, c, o), dtype), tiles.both_ways.astype(dtype)

        def by_rows(some_pixels: np.ndarray) -> np.ndarray:  # (even or odd row, rows, even or odd column, ...)
            return some_pixels.reshape(2, down + 1, 2, across + 1, n, c).transpose(2, 1, 0, 3, 4, 5)

        rows_of_v, columns_of_v = halfway.transpose(0, 2, 1, 3, 4, 5), _columns_first(v)
        self.columns = columns = _columns_first(halfway)
        self.pixels = _places_of_pixels(pixels, x_shape[2:], form)
        self.take_rows_apart = tiles.take_apart(by_rows(pixels), rows_of_v)
        self.take_columns_apart = tiles.take_apart(columns, columns_of_v)
        self.bias = memory.empty((n, o), dtype)  # once per image, so that the addition is over contiguous memory
        m_11 = self.m_11.reshape(-1, n * o)
        self.add_bias: list[Step] = [(np.add, (m_11, self.bias.reshape(-1), m_11))]
        self.add_up = tiles.add_up(m) + tiles.add_up(m[:2].swapaxes(0, 1))
        self.outputs = _places_of_outputs(m[:2, :2], size)
        last = points - 1
        self.corners_of_m = m[::last, ::last]
        self.corners = _places_of_outputs(self.corners_of_m, size)
        # Where a tile reaches beyond an output of odd size, there is no gradient.
        self.beyond = [m[last, ::last, size[0] // 2 :], m[::last, last, :, size[1] // 2 :]]
        self.spread = tiles.spread(m[:, ::last]) + tiles.spread(m.swapaxes(0, 1))
        columns_together = tiles.put_together(columns_of_v, columns)
        self.put_together = columns_together + tiles.put_together(rows_of_v, by_rows(grad_pixels))
        self.grad_pixels = _places_of_pixels(grad_pixels, x_shape[2:], form)

    def transform(self, x: np.ndarray, v: np.ndarray | None = None) -> np.ndarray:
        """Return the transformed images, in ``v`` or in the chunk's own memory."""
        self.pixels.copy_from(x)
        _take(self.take_rows_apart)
        _take(self.take_columns_apart if v is None else self.tiles.take_apart(self.columns, _columns_first(v)))
        return self.v if v is None else v


def _as_matrices(tiles: np.ndarray) -> np.ndarray:
    return tiles.reshape(tiles.shape[0] * tiles.shape[1], -1, tiles.shape[-1])


def _columns_first(tiles: np.ndarray) -> np.ndarray:
    return tiles.transpose(1, 3, 0, 2, 4, 5)


def _chunk(x: np.ndarray, o: int, form: Form) -> _Chunk:
    key = (x.shape, o, form, x.dtype)
    if len(x) * form.image_bytes(form.channels(x.shape), o, x.dtype) > MOST_KEPT_BYTES:
        return _Chunk(*key)
    return memory.kept(key, lambda: _Chunk(*key))


def _take(steps: list[Step]) -> None:
    for ufunc, operands in steps:
        ufunc(*operands)


def _far_from_overflow(a: np.ndarray) -> bool:
    # A sum of squares is cheap, and finite only if every number is.
    flat = a.transpose(0, 2, 3, 1).reshape(-1) if a.ndim == 4 else a.reshape(-1)
    return isfinite(flat @ flat)
