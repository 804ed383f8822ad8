"""Where PyTorch refuses, scratch refuses too, with an exception of the same kind."""

import warnings
from collections.abc import Callable

import pytest


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
