"""What the ladder convolves, and the two rates of the machine that set a least time for every rung."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.lessons.ladder import threads
from benchmarks.speed import machine
from scratch.kernels.threads import get_num_threads

LARGE = 1 << 24  # numbers in the array that is copied: far more than any cache holds


class Work(NamedTuple):
    """A convolution of square images, in float32."""

    name: str
    batch: int
    channels: int
    kernels: int
    side: int

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return x, and a weight that keeps the size of the numbers."""
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((self.batch, self.channels, self.side, self.side))
        weight = rng.standard_normal((self.kernels, self.channels, 3, 3)) / np.sqrt(9 * self.channels)
        return x.astype(np.float32), weight.astype(np.float32)

    def draw_gradient(self, seed: int) -> np.ndarray:
        """Return an upstream gradient."""
        shape = self.batch, self.kernels, self.side, self.side
        return np.random.default_rng([seed, 1]).standard_normal(shape).astype(np.float32)

    @property
    def operations(self) -> int:
        """Multiplications and additions, counted as in the formula, including those with the zeros of the padding."""
        return 2 * self.batch * self.kernels * self.side**2 * 9 * self.channels

    @property
    def patches_bytes(self) -> int:
        """The bytes that the patches of one image take."""
        return 4 * 9 * self.channels * self.side**2

    @property
    def least_bytes(self) -> int:
        """The bytes that have to move from and to memory, if everything in between stays in the cache."""
        return 4 * (self.batch * self.side**2 * (self.channels + self.kernels) + 9 * self.channels * self.kernels)

    @property
    def bytes_of_one_product(self) -> int:
        """The same if patches do not stay in the cache: they, and the padded images, are written once and read once."""
        padded = 4 * self.channels * (self.side + 2) ** 2
        return self.least_bytes + 2 * self.batch * (padded + self.patches_bytes)


class Roof(NamedTuple):
    """The machine's rates, in float32 and on all its threads: operations of a matrix product, bytes of a copy."""

    operations: float
    bytes: float

    def seconds(self, work: Work) -> float:
        """Return the least time in which all of the formula's multiplications can be done."""
        return max(work.operations / self.operations, work.least_bytes / self.bytes)


def measure_roof() -> Roof:
    """Measure the rates: the best of several tries each."""
    from torch.utils.benchmark import Timer

    rates = machine.rates("float32", get_num_threads())
    source = np.ones(LARGE, np.float32)
    target = np.empty_like(source)
    step = LARGE // 16
    parts = [slice(first, first + step) for first in range(0, LARGE, step)]

    def copy(part: slice) -> None:
        np.copyto(target[part], source[part])

    timer = Timer("each(copy, parts)", globals={"each": threads.each, "copy": copy, "parts": parts})
    timer.timeit(2)
    together = 2 * source.nbytes / min(timer.timeit(1).mean for _ in range(8))
    return Roof(rates["operations"], max(rates["bytes"], together))
