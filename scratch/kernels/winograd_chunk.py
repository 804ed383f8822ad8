"""The memory in which `scratch.kernels.winograd` works on a chunk of images, its views, and the additions on them."""

from collections.abc import Callable
from itertools import product

import numpy as np

from scratch.kernels import memory, threads
from scratch.kernels.patches import Pair
from scratch.kernels.winograd_form import Form
from scratch.kernels.winograd_tiles import Step

# A chunk's memory is kept for the next chunk if it takes no more than this. It takes more only if a single image does,
# and then the time to allocate it is nothing beside the work on it.
MOST_KEPT_BYTES = 2 * threads.CACHE_BYTES


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


class Chunk:
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
        self.v, self.m, self.m_planes, self.m_11 = v, as_matrices(m), m, m[1, 1].reshape(-1, o)
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
        take(self.take_rows_apart)
        take(self.take_columns_apart if v is None else self.tiles.take_apart(self.columns, _columns_first(v)))
        return self.v if v is None else v


def as_matrices(tiles: np.ndarray) -> np.ndarray:
    """Return tiles (4, 4, ..., C) as the matrices of the products, (16, -1, C)."""
    return tiles.reshape(tiles.shape[0] * tiles.shape[1], -1, tiles.shape[-1])


def _columns_first(tiles: np.ndarray) -> np.ndarray:
    return tiles.transpose(1, 3, 0, 2, 4, 5)


def chunk_of(x: np.ndarray, o: int, form: Form) -> Chunk:
    """Return the chunk for such images and ``o`` output channels; it is kept for the next call."""
    key = (x.shape, o, form, x.dtype)
    if len(x) * form.image_bytes(form.channels(x.shape), o, x.dtype) > MOST_KEPT_BYTES:
        return Chunk(*key)
    return memory.kept(key, lambda: Chunk(*key))


def take(steps: list[Step]) -> None:
    """Take the steps of a chunk, one after another."""
    for ufunc, operands in steps:
        ufunc(*operands)
