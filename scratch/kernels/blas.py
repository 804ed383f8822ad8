"""The BLAS that NumPy multiplies with, and its own threads.

NumPy's packages contain OpenBLAS, whose number of threads can be read and set. That of others, such as Accelerate,
cannot: then there is nothing to do here.
"""

import ctypes
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np


def _find() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return the functions that get and set the BLAS's number of threads, or None if it has none known here."""
    extension = Path(sys.modules["numpy._core._multiarray_umath"].__file__ or "")
    # On Linux and macOS the extension's own handle also finds the functions of libraries that it is linked to; on
    # Windows only the library's own handle does.
    for path in (extension, *Path(np.__file__).parent.parent.glob("numpy.libs/*openblas*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", ""):
                getter = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                setter = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                if getter is not None and setter is not None:
                    return getter, setter
    return None


class _OneThread:
    """A ``with`` block in which the BLAS keeps to the thread that calls it.

    After a product OpenBLAS's own threads spin for more than a tenth of a second, waiting for the next one. Meanwhile
    whatever else needs their cores, such as a layer in chunks on our threads, runs at half its speed. So no kernel
    wakes them. If several threads are inside at once, the last to leave gives the BLAS its threads back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: list[int] = []  # threads inside the block
        self._before = 1

    def __enter__(self) -> None:
        if _functions is None:
            return
        with self._lock:
            if not self._inside:
                self._before = _functions[0]()
                _functions[1](1)
            self._inside.append(threading.get_ident())

    def __exit__(self, *error: object) -> None:
        if _functions is None:
            return
        with self._lock:
            self._inside.remove(threading.get_ident())
            self._give_back()

    def _give_back(self) -> None:
        if not self._inside and _functions is not None:
            _functions[1](self._before)

    def after_fork(self) -> None:
        """Forget the parent's other threads, which may have been inside and do not exist here to leave."""
        self._lock = threading.Lock()
        if self._inside:
            self._inside = [one for one in self._inside if one == threading.get_ident()]
            self._give_back()

    def set_num_threads(self, n: int) -> None:
        """Let the BLAS use ``n`` threads, as soon as nobody is inside."""
        with self._lock:
            self._before = n
            self._give_back()


_functions = _find()
one_blas_thread = _OneThread()


def can_be_told() -> bool:
    """Return whether the BLAS's number of threads can be set."""
    return _functions is not None


def get_num_threads() -> int:
    """Return how many threads the BLAS uses now; 1 if it cannot be asked."""
    return 1 if _functions is None else _functions[0]()
