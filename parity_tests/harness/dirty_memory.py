"""A fixture for tests of layers that use `scratch.kernels.memory`: arrays come full of NaN, not of lucky zeros."""

from collections.abc import Iterator

import numpy as np
import pytest

from scratch.kernels import memory


@pytest.fixture(autouse=True, scope="module")
def dirty_memory() -> Iterator[None]:
    """Fill each array that `scratch.kernels.memory.empty` returns with NaN, or with 77 where its dtype has none."""
    clean = memory.empty

    def dirty(shape: tuple[int, ...], dtype: type = np.float32, channels_last: bool = False) -> np.ndarray:
        array = clean(shape, dtype, channels_last)
        array[...] = np.nan if array.dtype.kind == "f" else 77
        return array

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "empty", dirty)
        yield
