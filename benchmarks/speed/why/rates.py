"""The highest rates that a machine reaches, measured on demand."""

from benchmarks.speed import machine

SMALLEST = 1 << 10  # bytes: a copy of less takes no less time


class Rates:
    """What so many threads reach: copying arrays, which depends on the cache that they fit into, and products.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._copying: dict[int, float] = {}
        self._products: dict[str, float] = {}

    def copying(self, size: int) -> float:
        """Return the bytes a second, read and written, of copying an array of about ``size`` bytes."""
        octave = max(size, SMALLEST).bit_length()
        if octave not in self._copying:
            self._copying[octave] = machine.copy_rate(3 << (octave - 2), self.threads)
        return self._copying[octave]

    def products(self, dtype: str) -> float:
        """Return the operations a second of NumPy's product of large matrices; a multiply-add counts as two."""
        if dtype not in self._products:
            self._products[dtype] = machine.product_rate(dtype, self.threads)
        return self._products[dtype]
