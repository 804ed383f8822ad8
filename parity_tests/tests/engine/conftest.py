"""Fixtures of the tests of the engine."""

import pytest
import torch

from scratch.kernels import threads


@pytest.fixture
def torch_checks(monkeypatch):
    """Have PyTorch's distributions check their arguments: the first torch.compile in a process ends that for good."""
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)


@pytest.fixture(params=[1, 2, 5])
def count(request):
    """Set a number of threads, and restore the old one afterwards."""
    before = threads.get_num_threads()
    threads.set_num_threads(request.param)
    yield request.param
    threads.set_num_threads(before)
