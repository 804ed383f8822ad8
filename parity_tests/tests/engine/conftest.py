"""Fixtures of the tests of the engine."""

import pytest
import torch


@pytest.fixture
def torch_checks(monkeypatch):
    """Have PyTorch's distributions check their arguments: the first torch.compile in a process ends that for good."""
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)
