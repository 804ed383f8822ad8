"""NumPy's buffer, and when an operation is faster without it.

If an operand of an operation is broadcast, or does not lie in one piece, NumPy copies it into a buffer, 8,192 numbers
at a time, and computes with that. For short rows it pays: otherwise NumPy would begin anew at each of them. For long
rows the copying takes as long as the operation itself. The buffer cannot be turned off, but the smallest one is too
small for a long row, and then NumPy goes through the operands as they are.

Where operands have different dtypes NumPy converts them in the same buffer, and needs a large one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

SMALLEST = 16  # numbers
LONG_ROW = 1 << 11  # bytes: from here on rows of equal dtypes are faster without; the two are equal at half of it


@contextmanager
def for_rows(row_bytes: int) -> Iterator[None]:
    """Run the body with the smallest buffer if rows have so many bytes that this pays, and threads started in it."""
    if row_bytes < LONG_ROW:
        yield
        return
    with np.errstate():  # at its end the buffer is as before
        np.setbufsize(SMALLEST)
        yield
