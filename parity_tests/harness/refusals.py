"""Where PyTorch refuses, scratch refuses too, with an exception of the same kind."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch

from scratch import nn


def refuses_as_torch(scratch_call: Callable[[], object], torch_call: Callable[[], object]) -> str:
    """Check that both calls raise, with exceptions of the same kind; return scratch's message."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch may warn before it refuses
        with pytest.raises(Exception) as torchs:  # noqa: PT011 -- its kind is the question
            torch_call()
    with pytest.raises(torchs.type) as ours:
        scratch_call()
    assert type(ours.value) is torchs.type
    return str(ours.value)


def layer_refuses_as_torch(name: str, options: dict, shape: tuple[int, ...] | None) -> str:
    """Check that neither engine's layer takes its options or, with a shape, zeros of it; return scratch's message."""

    def use(engine: object, zeros: Callable) -> None:
        layer = getattr(engine, name)(**options)
        if shape is not None:
            layer(zeros(shape))

    return refuses_as_torch(
        lambda: use(nn, lambda size: np.zeros(size, np.float32)), lambda: use(torch.nn, torch.zeros)
    )
